"""Properties of the server that hold for any input, split anyhow; see `memory_wire`."""

import asyncio
import re
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import fuzz_readings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_wire import Wire, split
from tornado.web import Application, RequestHandler, stream_request_body

from app.httpserver import Options, Server

drawn = settings(
    deadline=None,
    max_examples=250,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Small, so that all limits are met; what is held is still more than a head may be.
_OPTIONS = Options(
    max_request_line_bytes=500,
    max_field_bytes=500,
    max_fields_bytes=1000,
    max_body_bytes=9000,
    max_held_bytes=2000,
    chunk_bytes=700,
)

_DATE = re.compile(rb"Date: [^\r\n]*\r\n")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class _Echo(RequestHandler):
    """Answers any request with what it was given; at once, or in a later turn of the loop."""

    async def prepare(self) -> None:
        if "later" in self.request.path:
            await asyncio.sleep(0)

    def get(self) -> None:
        self._record("answered")
        self.write({"method": self.request.method, "target": self.request.uri})
        self.write(self.request.body.hex())

    head = post = put = patch = delete = options = get

    def on_connection_close(self) -> None:
        self._record("lost")

    def _record(self, event: str) -> None:
        request = self.request
        self.settings["events"].append((event, request.method, request.uri, request.body))


@stream_request_body
class _Stream(_Echo):
    """The same for a body that is taken in pieces, each of them slowly."""

    def initialize(self) -> None:
        self._taken = b""

    async def data_received(self, chunk: bytes) -> None:
        await asyncio.sleep(0)
        self._taken += chunk

    def _record(self, event: str) -> None:
        # What has been taken of a lost body may depend on how it came.
        taken = self._taken if event == "answered" else b""
        self.settings["events"].append((event, self.request.method, self.request.uri, taken))


@dataclass(frozen=True)
class _Seen:
    """What a client and the application see of a connection.

    Date is left out, and so is 100 Continue, which is sent only while no body has come.
    """

    output: bytes
    events: tuple[tuple[str, str, str, bytes], ...]
    has_ended: bool


class _Service:
    def __init__(self) -> None:
        self._events: list[tuple[str, str, str, bytes]] = []
        self._application = Application(
            [(r"/stream", _Stream), (r".*", _Echo)],
            events=self._events,
            log_function=lambda handler: None,
        )
        self._server = Server(self._application, options=_OPTIONS)

    async def see(self, pieces: list[bytes]) -> _Seen:
        """Send pieces, then close; a connection that is not gone by then fails the test."""
        self._events.clear()
        wire = Wire(self._server)
        await wire.send(pieces)
        has_ended = wire.transport.has_ended
        await wire.end()
        assert wire.transport.is_lost
        assert self._server.statistics.in_flight == self._server.statistics.connections == 0
        output = _DATE.sub(b"", bytes(wire.transport.output)).replace(_CONTINUE, b"")
        return _Seen(output, tuple(self._events), has_ended)


def _run(body: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(body)


_CHUNKED = b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n"
GOOD = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /later?x=1 HTTP/1.1\r\nHost: a\r\nX: \xff\r\n\r\n",
        b"GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi",
        b"PUT /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 7000\r\n\r\n" + b"GET / H" * 1000,
        b"POST / HTTP/1.1\r\n" + _CHUNKED + b"5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n",
        b"POST /stream HTTP/1.1\r\nUpgrade: h2c\r\n"
        + _CHUNKED
        + b"c8\r\n%b\r\n0\r\n\r\n" % (b"GET / H\r\n\r" * 20),
        b"PATCH / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
        b"GET / HTTP/1.0\r\n\r\n",
    ]
)
TOKENS = st.sampled_from(
    [
        *(b"GET ", b"POST ", b"/", b" HTTP/1.1", b" HTTP/1.0", b" HTTP/2.0", b"\r\n", b"\r\n\r\n"),
        *(
            b"\n",
            b"\r",
            b"\x00",
            b" ",
            b"\t",
            b":",
            b"Host: a\r\n",
            b"Content-Length: ",
            b"5",
            b"0",
        ),
        *(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"0\r\n", b";", b"-"),
        *(b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"\xff", b"X: y\r\n", b"a" * 501),
        *(b"X: y\r\n" * 101, b"99999999999999999999", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ]
)
NONSENSE = st.lists(TOKENS | st.binary(max_size=8), max_size=12).map(b"".join)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good request with one part of it replaced."""
    good = draw(GOOD)
    start = draw(st.integers(0, len(good)))
    end = draw(st.integers(start, min(start + 6, len(good))))
    return good[:start] + draw(st.binary(max_size=4) | TOKENS) + good[end:]


GARBAGE = st.binary(max_size=200) | NONSENSE | mutated()
STREAMS = st.lists(GOOD | GARBAGE, min_size=1, max_size=4).map(b"".join)
CUTS = st.lists(st.integers(0, 2000), max_size=8)


@drawn
@given(garbage=GARBAGE, cuts=CUTS)
def test_garbage_gets_one_refusal_at_most_and_then_a_close(garbage: bytes, cuts: list[int]):
    async def body() -> None:
        seen = await _Service().see(split(garbage, cuts))
        responses = fuzz_readings.read_responses(seen.output)
        answered = sum(event == "answered" for event, *_ in seen.events)
        assert len(responses) - answered in (0, 1)
        if len(responses) > answered:
            assert responses[-1].closes
            assert responses[-1].status in (400, 405, 413, 414, 417, 431, 501, 505)
        assert all(response.status == 200 for response in responses[:answered])

    _run(body())


@drawn
@given(stream=STREAMS, cuts=CUTS)
def test_any_split_gives_the_same_answers_and_the_same_calls(stream: bytes, cuts: list[int]):
    async def body() -> None:
        service = _Service()
        whole = await service.see([stream] if stream else [])
        assert await service.see(split(stream, cuts)) == whole
        # Once more in one piece: now the heads that may be remembered are.
        assert await service.see([stream] if stream else []) == whole

    _run(body())


@settings(drawn, max_examples=60)
@given(stream=STREAMS)
def test_bytes_one_by_one_give_the_same_answers_and_the_same_calls(stream: bytes):
    async def body() -> None:
        service = _Service()
        in_bytes = await service.see(split(stream, list(range(len(stream)))))
        assert await service.see([stream] if stream else []) == in_bytes

    _run(body())


@drawn
@given(good=st.lists(GOOD, max_size=2), garbage=GARBAGE)
def test_garbage_does_not_change_what_was_asked_before_it(good: list[bytes], garbage: bytes):
    async def body() -> None:
        service = _Service()
        alone = await service.see([piece for piece in good if piece])
        together = await service.see([b"".join([*good, garbage])])
        assert together.output.startswith(alone.output)
        assert together.events[: len(alone.events)] == alone.events

    _run(body())
