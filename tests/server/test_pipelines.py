"""Pipelines of good requests of every kind are answered completely and in order."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from h11_client import Received, read_responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_wire import Wire, settle, split
from tornado.web import Application, RequestHandler, stream_request_body

from app.httpserver import Answer, Later, ReadyRequest, Server

drawn = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Ask:
    """A good request, and what its answer must be.

    Attributes:
        way: who answers; the first part of the path.
        chunks: the body in chunks, or in one piece with its length.
    """

    method: str
    way: str
    body: bytes = b""
    chunks: list[bytes] | None = None
    trailers: bytes = b""
    version: str = "1.1"
    fields: str = ""

    def encoded(self, target: str) -> bytes:
        head = f"{self.method} {target} HTTP/{self.version}\r\nHost: a\r\n{self.fields}"
        if self.chunks is not None:
            body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in self.chunks)
            end = b"0\r\n" + self.trailers + b"\r\n"
            return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + body + end
        if self.body:
            head += f"Content-Length: {len(self.body)}\r\n"
        return f"{head}\r\n".encode() + self.body

    def expected(self, target: str) -> bytes:
        return b"" if self.method == "HEAD" else _echo(self.method, target, self.body)


def _echo(method: str, target: str, body: bytes) -> bytes:
    return f"{method} {target} ".encode() + body


class _Now(RequestHandler):
    def get(self) -> None:
        self.finish(_echo(self.request.method or "", self.request.uri or "", self.request.body))

    head = post = get


class _Slow(_Now):
    """Takes some turns of the loop, and sends its answer in parts."""

    async def get(self) -> None:
        await asyncio.sleep(0)
        self.write(_echo(self.request.method or "", self.request.uri or "", b""))
        await self.flush()
        await asyncio.sleep(0)
        await self.finish(self.request.body)

    head = post = get


@stream_request_body
class _Stream(RequestHandler):
    """Takes the body in pieces, one per turn of the loop."""

    def initialize(self) -> None:
        self._taken = b""

    async def data_received(self, chunk: bytes) -> None:
        await asyncio.sleep(0)
        self._taken += chunk

    def get(self) -> None:
        self.finish(_echo(self.request.method or "", self.request.uri or "", self._taken))

    head = post = get


WAYS = ["now", "slow", "stream", "ready", "later", "shared", "passed", "passed-later"]
"""Handlers; then the ready function: at once, later, later for all clients who ask the same, and
twice by leaving it to a handler."""

BODIES = st.binary(min_size=1, max_size=400) | st.just(b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n")
TRAILERS = st.sampled_from([b"", b"X: y\r\n", b"Content-Length: 5\r\nX:\r\n"])


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    way = draw(st.sampled_from(WAYS))
    kind = draw(st.sampled_from(["GET", "GET", "HEAD", "POST", "chunked", "GET with body", "1.0"]))
    if kind == "chunked":
        chunks = draw(st.lists(BODIES, max_size=4))
        trailers = draw(TRAILERS)
        return Ask("POST", way, b"".join(chunks), chunks=chunks, trailers=trailers)
    if kind == "1.0":
        return Ask("GET", _told(way), version="1.0", fields="Connection: keep-alive\r\n")
    if kind in ("POST", "GET with body"):
        return Ask(kind.split()[0], way, draw(BODIES))
    return Ask(kind, way, fields=draw(st.sampled_from(["", "", "X: \xff\r\n", "Upgrade: h2c\r\n"])))


@st.composite
def last_asks(draw: st.DrawFn) -> Ask:
    way = draw(st.sampled_from(WAYS))
    if draw(st.booleans()):
        return Ask("GET", way, fields="Connection: close\r\n")
    return Ask("GET", _told(way), version="1.0")


def _told(way: str) -> str:
    """Return a way that tells the length of its answer: without it, HTTP/1.0 is not kept alive."""
    return "now" if way == "slow" else way


PIPELINES = st.tuples(st.lists(asks(), max_size=7), st.integers(1, 5)).map(
    lambda drawn: drawn[0] * drawn[1]
)
CUTS = st.lists(st.integers(0, 3000), max_size=10)


@dataclass
class _Service:
    """A server whose ready function can be made to wait."""

    pending: list[tuple[Later, Answer | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        handlers = [(r"/stream/.*", _Stream), (r"/slow/.*", _Slow), (r".*", _Now)]
        application = Application(handlers, log_function=lambda handler: None)
        self.server = Server(application, ready=self._ready)

    def _ready(self, request: ReadyRequest) -> Answer | Later | None:
        way = request.target.split("/")[1]
        body = _echo(request.method, request.target, b"")
        answer = Answer.build(HTTPStatus.OK, [], body)
        if way == "ready":
            return answer
        if way not in ("later", "shared", "passed-later"):
            return None
        later = Later()
        self.pending.append((later, None if way == "passed-later" else answer))
        return later

    async def resolve(self, choices: list[int]) -> None:
        """Give the answers to come, those asked for meanwhile included, in an order of choice."""
        await settle()
        while self.pending:
            choice = choices.pop() if choices else 0
            how, at = divmod(choice, len(self.pending))
            later, answer = self.pending[at]
            if how % 3 == 1 and later.is_open:  # Who comes before its answer asks anew.
                later.close()
                continue
            del self.pending[at]
            if answer is None:
                later.decline()
            elif how % 3 == 2:
                later.answer_each([answer] * later.clients)
            else:
                later.answer(answer)
            await settle()


def _stream(pipeline: list[Ask], client: int) -> bytes:
    return b"".join(ask.encoded(_target(ask, client, n)) for n, ask in enumerate(pipeline))


def _target(ask: Ask, client: int, number: int) -> str:
    return "/shared/all" if ask.way == "shared" else f"/{ask.way}/{client}/{number}"


def _received(pipeline: list[Ask], wire: Wire) -> list[Received]:
    methods = [ask.method for ask in pipeline]
    output = bytes(wire.transport.output)
    return read_responses(output, methods, has_ended=wire.transport.has_ended)


def _assert_answered(pipeline: list[Ask], client: int, wire: Wire) -> None:
    for number, (ask, received) in enumerate(zip(pipeline, _received(pipeline, wire), strict=True)):
        assert received.status == 200
        assert received.body == ask.expected(_target(ask, client, number))


def _run(body: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(body)


@drawn
@given(pipeline=PIPELINES, cuts=CUTS)
def test_answers_come_in_order_and_complete(pipeline: list[Ask], cuts: list[int]):
    async def body() -> None:
        service = _Service()
        wire = Wire(service.server)
        await wire.send(split(_stream(pipeline, 0), cuts))
        await service.resolve([])
        _assert_answered(pipeline, 0, wire)
        assert not wire.transport.has_ended
        await wire.end()
        assert wire.transport.is_lost

    _run(body())


@drawn
@given(pipeline=PIPELINES, last=last_asks(), after=PIPELINES, cuts=CUTS)
def test_nothing_is_answered_after_the_last_request(
    pipeline: list[Ask], last: Ask, after: list[Ask], cuts: list[int]
):
    async def body() -> None:
        service = _Service()
        wire = Wire(service.server)
        asked = [*pipeline, last]
        await wire.send(split(_stream([*asked, *after], 0), cuts))
        await service.resolve([])
        _assert_answered(asked, 0, wire)
        assert wire.transport.has_ended
        assert service.server.statistics.requests == len(asked)

    _run(body())


@drawn
@given(
    pipelines=st.lists(PIPELINES, min_size=2, max_size=5),
    choices=st.lists(st.integers(0, 30), max_size=40),
    cuts=CUTS,
)
def test_answers_that_become_ready_in_any_order_reach_their_own_request(
    pipelines: list[list[Ask]], choices: list[int], cuts: list[int]
):
    async def body() -> None:
        service = _Service()
        wires = [Wire(service.server) for _ in pipelines]
        for client, pipeline in enumerate(pipelines):
            for piece in split(_stream(pipeline, client), cuts):
                wires[client].transport.put(piece)
        await service.resolve(choices)
        for client, wire in enumerate(wires):
            _assert_answered(pipelines[client], client, wire)
        assert service.server.statistics.in_flight == 0

    _run(body())


@drawn
@given(pipeline=PIPELINES, cuts=CUTS)
def test_a_client_that_closes_its_side_gets_the_answers_to_what_it_sent(
    pipeline: list[Ask], cuts: list[int]
):
    async def body() -> None:
        service = _Service()
        wire = Wire(service.server)
        for piece in split(_stream(pipeline, 0), cuts):
            wire.transport.put(piece)
        wire.transport.put(None)
        await service.resolve([])
        _assert_answered(pipeline, 0, wire)
        assert wire.transport.is_lost

    _run(body())
