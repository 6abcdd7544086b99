"""A handler that answers before its request's body was read costs nobody the connection.

Either the body is read and dropped and the connection goes on, or the answer says that it ends
(RFC 9112, section 9.6; RFC 9110, section 10.1.1).
"""

import asyncio

import pytest
from http_client import Client, request
from http_serving import (
    Gate,
    Hello,
    on_both_loops,
    pass_time,
    serving,
    turn_loop,
    until,
)
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from app.httpserver import Options

LIMIT = Options().max_unread_bytes
CHUNKED = "Transfer-Encoding: chunked"
EXPECT = "Expect: 100-continue"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
GOOD = request("/good")


@stream_request_body
class Refusing(RequestHandler):
    """Answers 403 before any of the body is read."""

    def initialize(self, gate: Gate | None = None) -> None:
        self._gate = gate

    async def prepare(self) -> None:
        if self._gate is not None:
            self._gate.began.append("")
            await self._gate.open.wait()
        raise HTTPError(403)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self._gate is not None:
            self._gate.lost.append("")


@stream_request_body
class AtFirstPart(RequestHandler):
    """Answers 403 to the first part of the body."""

    def data_received(self, chunk: bytes) -> None:
        self.set_status(403)
        self.finish("no")


@stream_request_body
class Starting(RequestHandler):
    """Begins to answer before the body is read, and ends after it."""

    def prepare(self) -> None:
        self.set_header("Content-Length", "2")
        self.write("a")
        self.flush()

    def data_received(self, chunk: bytes) -> None:
        pass

    def post(self) -> None:
        self.write("b")


def application(gate: Gate | None = None) -> Application:
    return Application(
        [
            ("/", Refusing, {"gate": gate}),
            *(("/part", AtFirstPart), ("/start", Starting), ("/good", Hello)),
        ],
        log_function=lambda handler: None,
    )


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("target", ["/", "/part"])
@on_both_loops
async def test_a_connection_goes_on_behind_a_small_body_that_nobody_read(
    target: str, method: str
) -> None:
    async with serving(application()) as (_, port), await Client.connect(port) as client:
        for _ in range(3):
            refused = await client.call(request(target, method=method, body=b"x" * 1000))
            assert refused.status in (403, 405)
            assert not refused.closes
        assert (await client.call(GOOD)).body == b"hello"


@on_both_loops
async def test_requests_behind_a_body_that_nobody_read_are_answered() -> None:
    async with serving(application()) as (_, port), await Client.connect(port) as client:
        client.send((request("/", method="POST", body=GOOD) + GOOD) * 3)
        assert [(await client.receive()).status for _ in range(6)] == [403, 200] * 3


@on_both_loops
async def test_a_body_that_comes_after_its_answer_is_dropped() -> None:
    async with serving(application()) as (server, port), await Client.connect(port) as client:
        client.send(request("/", f"Content-Length: {len(GOOD)}", method="POST"))
        assert not (await client.receive()).closes
        for byte in GOOD:
            client.send(bytes([byte]))
            await turn_loop()
        assert (await client.call(GOOD)).body == b"hello"
        assert server.statistics.exchanges == 2
        assert server.statistics.in_flight == 0


@on_both_loops
async def test_the_largest_body_that_is_dropped_is_so_large() -> None:
    async with serving(application()) as (_, port), await Client.connect(port) as client:
        assert not (await client.call(request("/", method="POST", body=b"x" * LIMIT))).closes
        assert (await client.call(GOOD)).body == b"hello"
        large = request("/", method="POST", body=b"x" * (LIMIT + 1))
        assert (await client.call(large + GOOD)).closes
        assert await client.rest() == b""


@pytest.mark.parametrize("target", ["/", "/start"])
@on_both_loops
async def test_an_answer_before_the_last_of_the_chunks_says_that_the_connection_ends(
    target: str,
) -> None:
    async with serving(application()) as (_, port), await Client.connect(port) as client:
        client.send(request(target, CHUNKED, method="POST"))
        await turn_loop()
        client.send(CHUNKS + GOOD)
        assert (await client.receive()).closes
        assert await client.rest() == b""


@on_both_loops
async def test_an_answer_to_a_client_that_waits_for_100_says_that_the_connection_ends() -> None:
    async with serving(application()) as (_, port), await Client.connect(port) as client:
        answer = await client.call(request("/", EXPECT, "Content-Length: 5", method="POST"))
        assert (answer.status, answer.closes) == (403, True)
        assert await client.rest() == b""


@on_both_loops
async def test_a_client_that_does_not_wait_for_100_goes_on() -> None:
    async with serving(application()) as (_, port), await Client.connect(port) as client:
        client.send(request("/", EXPECT, method="POST", body=b"hello") + GOOD)
        assert [(await client.receive()).status for _ in range(2)] == [403, 200]


@on_both_loops
async def test_an_answer_that_began_before_the_body_was_read_goes_on_behind_it() -> None:
    async with serving(application()) as (_, port), await Client.connect(port) as client:
        client.send(request("/start", method="POST", body=b"hello") + GOOD)
        assert (await client.receive()).body == b"ab"
        assert (await client.receive()).body == b"hello"


@on_both_loops
async def test_in_http_1_0_it_is_the_same() -> None:
    async with serving(application()) as (_, port), await Client.connect(port) as client:
        keep = request("/", "Connection: keep-alive", method="POST", body=b"hello", version="1.0")
        assert (await client.call(keep)).all("connection") == ["Keep-Alive"]
        assert (await client.call(request("/", method="POST", body=b"x", version="1.0"))).closes
        assert await client.rest() == b""


@on_both_loops
async def test_a_dropped_body_has_no_more_time_than_any_other() -> None:
    async with serving(application()) as (server, port), await Client.connect(port) as client:
        client.send(request("/", "Content-Length: 5", method="POST") + b"hell")
        assert (await client.receive()).status == 403
        pass_time(server, server.options.body_seconds + 1.0)
        assert await client.rest(why="the body is late") == b""
        assert server.statistics.refused == {}


@on_both_loops
async def test_a_client_that_leaves_within_a_dropped_body_leaves_nothing() -> None:
    async with serving(application()) as (server, port):
        async with await Client.connect(port) as client:
            client.send(request("/", "Content-Length: 5", method="POST") + b"hell")
            await client.receive()
        await until(lambda: not server.statistics.connections)
        assert server.statistics.in_flight == 0


@on_both_loops
async def test_the_handler_is_told_once_that_it_gets_no_body() -> None:
    gate = Gate()
    async with serving(application(gate)) as (_, port), await Client.connect(port) as client:
        client.send(request("/", method="POST", body=b"hello") + GOOD)
        await until(lambda: bool(gate.began))
        gate.open.set()
        assert [(await client.receive()).status for _ in range(2)] == [403, 200]
    assert gate.lost == [""]


@on_both_loops
async def test_an_answer_that_began_before_a_drain_keeps_its_word() -> None:
    ended = asyncio.Event()

    class Slow(RequestHandler):
        async def get(self) -> None:
            self.set_header("Content-Length", "2")
            self.write("a")
            await self.flush()
            await ended.wait()
            self.write("b")

    async with (
        serving(Application([("/", Slow), ("/good", Hello)])) as (server, port),
        await Client.connect(port) as client,
    ):
        client.send(request("/"))
        await until(lambda: server.statistics.in_flight == 1)
        await turn_loop()
        draining = asyncio.create_task(server.drain(20.0, idle_seconds=20.0))
        await until(lambda: server.is_draining)
        ended.set()
        assert not (await client.receive()).closes
        assert (await client.call(GOOD)).closes
        assert await draining is True
