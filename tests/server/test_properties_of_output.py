"""Whatever an application writes, h11 reads back the same; see `memory_wire`."""

import asyncio
import string
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

from h11_client import Received, read_responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_wire import Wire
from tornado.web import Application, RequestHandler

from app.httpserver import Answer, Later, ReadyRequest, Server

drawn = settings(
    deadline=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

_BODILESS = (204, 304)

NAMES = st.text(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~", min_size=1, max_size=12)
VISIBLE = [chr(code) for code in (*range(0x21, 0x7F), *range(0x80, 0x100))]
VALUES = st.lists(st.text(VISIBLE, min_size=1, max_size=20), max_size=3).map(" \t".join)
FIELDS = st.lists(st.tuples(NAMES.map("X-{}".format), VALUES), max_size=4)
REASONS = st.text(string.ascii_letters + " ", min_size=1, max_size=20).map(str.strip)
PIECES = st.lists(st.binary(min_size=1, max_size=300), max_size=4)


@dataclass(frozen=True)
class Script:
    """A request and how it is answered."""

    method: str
    version: str
    keep_alive: bool
    status: int
    reason: str
    fields: list[tuple[str, str]]
    pieces: list[bytes]
    way: str
    """``length`` in one piece, ``flush`` piece by piece, ``ready`` before the application is asked
    or ``later``, with a part of the head as the client's own."""

    own: tuple[int, int]
    """Where a client's own part of the head begins and ends, if there is one."""

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def own_part(self, length: int) -> tuple[int, int]:
        begin, end = sorted(place % (length + 1) for place in self.own)
        return begin, end

    def request(self, number: int) -> bytes:
        connection = "keep-alive" if self.keep_alive else "close"
        lines = [f"{self.method} /{number} HTTP/{self.version}", "Host: a"]
        return "\r\n".join([*lines, f"Connection: {connection}", "", ""]).encode()


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    status = draw(st.sampled_from([200, 201, 204, 206, 304, 400, 404, 418, 500, 503]))
    return Script(
        method=draw(st.sampled_from(["GET", "GET", "HEAD", "POST"])),
        version=draw(st.sampled_from(["1.1", "1.1", "1.1", "1.0"])),
        keep_alive=draw(st.sampled_from([True, True, True, False])),
        status=status,
        reason=draw(REASONS),
        fields=draw(FIELDS),
        pieces=[] if status in _BODILESS else draw(PIECES),
        way=draw(st.sampled_from(["length", "flush", "ready", "later"])),
        own=draw(st.tuples(st.integers(0, 200), st.integers(0, 200))),
    )


@dataclass
class _Play:
    """Answers requests as their scripts say."""

    scripts: list[Script]
    handled: list[int] = field(default_factory=list)

    def script(self, target: str) -> Script:
        return self.scripts[int(target.strip("/"))]

    def ready(self, request: ReadyRequest) -> Answer | Later | None:
        script = self.script(request.target)
        if script.way not in ("ready", "later"):
            return None
        answer = Answer.build(HTTPStatus(script.status), script.fields, script.body)
        if script.way == "ready":
            return answer
        later, (begin, end) = Later(), script.own_part(len(answer.head))
        shared = Answer(answer.head[:begin] + answer.head[end:], answer.body, begin)
        asyncio.get_running_loop().call_soon(later.answer, shared, [answer.head[begin:end]])
        return later


class _Scripted(RequestHandler):
    async def get(self) -> None:
        script: Script = self.settings["play"].script(self.request.path)
        self.set_status(script.status, script.reason)
        for name, value in script.fields:
            self.add_header(name, value)
        for piece in script.pieces:
            self.write(piece)
            if script.way == "flush":
                await self.flush()

    head = post = get


async def _exchange(play: _Play) -> tuple[list[Received], list[Script]]:
    """Pipeline all requests; return the responses and the scripts of those that have one."""
    application = Application([(r"/\d+", _Scripted)], play=play, log_function=lambda handler: None)
    wire = Wire(Server(application, ready=play.ready))
    await wire.send([b"".join(script.request(n) for n, script in enumerate(play.scripts))])
    answered = _until_the_end(play.scripts)
    methods = [script.method for script in answered]
    output, has_ended = bytes(wire.transport.output), wire.transport.has_ended
    await wire.end()
    return read_responses(output, methods, has_ended=has_ended), answered


def _until_the_end(scripts: list[Script]) -> list[Script]:
    """Return the requests that are answered: the first to end its connection is the last one."""
    for number, script in enumerate(scripts, 1):
        has_no_end = (
            script.version == "1.0"
            and script.way == "flush"
            and script.body
            and script.method != "HEAD"
        )
        if not script.keep_alive or has_no_end:
            return scripts[:number]
    return scripts


def _exchanged(scripts: list[Script]) -> Iterable[tuple[Received, Script]]:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        received, answered = runner.run(_exchange(_Play(scripts)))
    return zip(received, answered, strict=True)


SCRIPTS = st.lists(scripts(), min_size=1, max_size=4)


@drawn
@given(scripts=SCRIPTS)
def test_status_and_body_are_read_back(scripts: list[Script]):
    for received, script in _exchanged(scripts):
        assert received.status == script.status
        assert received.body == (b"" if script.method == "HEAD" else script.body)


@drawn
@given(scripts=SCRIPTS)
def test_header_fields_are_read_back_in_order_and_unchanged(scripts: list[Script]):
    for received, script in _exchanged(scripts):
        for name in {name.lower() for name, _ in script.fields}:
            values = [value for key, value in script.fields if key.lower() == name]
            assert received.values(name) == values


@drawn
@given(scripts=SCRIPTS)
def test_the_end_of_a_body_is_told_once(scripts: list[Script]):
    for received, script in _exchanged(scripts):
        lengths, codings = received.values("content-length"), received.values("transfer-encoding")
        assert len(lengths) + len(codings) <= 1
        if codings:
            assert codings == ["chunked"]
            assert script.version == "1.1"
        if script.status in _BODILESS:
            assert not codings


@drawn
@given(scripts=SCRIPTS)
def test_date_is_told_once(scripts: list[Script]):
    for received, _ in _exchanged(scripts):
        assert len(received.values("date")) == 1


@drawn
@given(scripts=SCRIPTS)
def test_an_http_11_client_is_told_of_the_end_of_the_connection(scripts: list[Script]):
    for received, script in _exchanged(scripts):
        if script.version == "1.1":
            closes = received.values("connection") == ["close"]
            assert closes == (not script.keep_alive)
