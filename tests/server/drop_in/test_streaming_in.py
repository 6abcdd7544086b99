"""Streaming request bodies: a handler that takes its time makes the client wait."""

import asyncio
import ssl
from typing import Any

from http_client import Client, request
from http_serving import (
    Echo,
    Hello,
    on_both_loops,
    only_connection,
    pass_time,
    serving,
    turn_loop,
    until,
)
from tornado.web import Application, RequestHandler, stream_request_body

from app.httpserver import Options

BODY = b"".join(b"%08d" % number for number in range(1024 * 1024))
"""8 MiB, no part of it like another: more than the kernel's socket buffers hold."""
READ_BYTES = 262_144
"""What a transport reads at once."""


class Taken:
    """What a `Take` handler was given, and when it goes on."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.open = asyncio.Event()
        self.pending = 0
        self.most_pending = 0
        self.lost = 0


@stream_request_body
class Take(RequestHandler):
    """Takes each part when the test lets it."""

    def initialize(self, taken: Taken) -> None:
        self._taken = taken

    async def data_received(self, part: bytes) -> None:
        taken = self._taken
        taken.pending += 1
        taken.most_pending = max(taken.most_pending, taken.pending)
        taken.parts.append(part)
        await taken.open.wait()
        taken.pending -= 1

    def post(self) -> None:
        self.write(str(sum(map(len, self._taken.parts))))

    def on_connection_close(self) -> None:
        super().on_connection_close()  # Ends the wait for the rest of the body.
        self._taken.lost += 1


def _serving(taken: Taken, **arguments: Any) -> Any:
    options = Options(max_body_bytes=2 * len(BODY))
    application = Application([("/", Take, {"taken": taken}), ("/hello", Hello)])
    return serving(application, options=options, **arguments)


@on_both_loops
async def test_a_handler_that_waits_stalls_the_client() -> None:
    taken = Taken()
    async with (
        _serving(taken) as (server, port),
        await Client.connect(port, send_buffer_bytes=65536) as client,
    ):
        client.send(request("/", method="POST", body=BODY))
        await until(lambda: bool(taken.parts) and only_connection(server)._is_reading_paused)
        await turn_loop()
        assert client.writer.transport.get_write_buffer_size() > 0
        assert len(only_connection(server)._held) <= server.options.max_held_bytes + READ_BYTES
        assert len(taken.parts) == 1
        taken.open.set()
        assert (await client.receive()).body == str(len(BODY)).encode()


@on_both_loops
async def test_parts_come_whole_in_order_and_one_at_a_time() -> None:
    taken = Taken()
    async with _serving(taken) as (_, port), await Client.connect(port) as client:
        client.send(request("/", method="POST", body=BODY))
        await until(lambda: bool(taken.parts))
        taken.open.set()
        await client.receive()
    assert b"".join(taken.parts) == BODY
    assert taken.most_pending == 1


@on_both_loops
async def test_parts_come_in_order_over_tls(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    taken = Taken()
    async with (
        _serving(taken, ssl_options=server_tls) as (_, port),
        await Client.connect(port, tls=client_tls) as client,
    ):
        client.send(request("/", method="POST", body=BODY))
        await until(lambda: bool(taken.parts))
        taken.open.set()
        await client.receive()
    assert b"".join(taken.parts) == BODY


@on_both_loops
async def test_no_part_is_larger_than_the_limit() -> None:
    taken = Taken()
    taken.open.set()
    async with _serving(taken) as (server, port), await Client.connect(port) as client:
        await client.call(request("/", method="POST", body=BODY))
        assert max(map(len, taken.parts)) <= server.options.chunk_bytes


@on_both_loops
async def test_a_request_behind_a_waiting_body_keeps_its_place() -> None:
    taken = Taken()
    async with _serving(taken) as (_, port), await Client.connect(port) as client:
        client.send(request("/", method="POST", body=b"body") + request("/hello"))
        await until(lambda: bool(taken.parts))
        await turn_loop()
        taken.open.set()
        assert [(await client.receive()).body for _ in range(2)] == [b"4", b"hello"]


@on_both_loops
async def test_a_client_that_leaves_within_its_body_is_noticed_once() -> None:
    taken = Taken()
    taken.open.set()
    async with _serving(taken) as (server, port):
        async with await Client.connect(port) as client:
            client.send(request("/", method="POST", body=b"four")[:-1])
            await until(lambda: bool(taken.parts))
        await until(lambda: not server.statistics.connections)
    assert taken.lost == 1


@on_both_loops
async def test_a_body_of_many_chunks_reaches_a_plain_handler_whole() -> None:
    sent = b"".join(b"%x\r\n%b\r\n" % (size, b"x" * size) for size in range(1, 500))
    head = request("/", "Transfer-Encoding: chunked", method="POST")
    async with (
        serving(Application([("/", Echo)])) as (_, port),
        await Client.connect(port) as client,
    ):
        answer = await client.call(head + sent + b"0\r\n\r\n")
    assert answer.body == b"x" * sum(range(1, 500))


class OwnLimits(Take):
    """Has limits of its own for its bodies."""

    def prepare(self) -> None:
        connection: Any = self.request.connection
        connection.set_max_body_size(int(self.get_argument("bytes", "1000")))
        connection.set_body_timeout(float(self.get_argument("seconds", "60")))


def _own_limits(taken: Taken, **options: Any) -> Any:
    application = Application([("/", OwnLimits, {"taken": taken})])
    return serving(application, options=Options(**options))


@on_both_loops
async def test_a_handler_may_raise_the_limit_of_its_body() -> None:
    taken = Taken()
    taken.open.set()
    async with (
        _own_limits(taken, max_body_bytes=10) as (_, port),
        await Client.connect(port) as client,
    ):
        answer = await client.call(request("/?bytes=100", method="POST", body=b"x" * 100))
    assert (answer.status, answer.body) == (200, b"100")


@on_both_loops
async def test_a_handler_may_lower_the_limit_of_its_body() -> None:
    taken = Taken()
    async with _own_limits(taken) as (_, port), await Client.connect(port) as client:
        answer = await client.call(request("/?bytes=99", method="POST", body=b"x" * 100))
        assert answer.status == 413
        assert answer.closes
        assert not taken.parts


@on_both_loops
async def test_a_handler_may_shorten_the_time_of_its_body() -> None:
    taken = Taken()
    taken.open.set()
    async with _own_limits(taken) as (server, port), await Client.connect(port) as client:
        client.send(request("/?seconds=3", method="POST", body=b"x" * 100)[:-1])
        await until(lambda: bool(taken.parts))
        pass_time(server, 4.5)
        answer = await client.receive()
    assert answer.status == 408
    assert taken.lost == 1


@on_both_loops
async def test_the_time_in_which_a_handler_takes_nothing_is_not_the_clients() -> None:
    taken = Taken()
    sent = request("/?seconds=3", method="POST", body=b"x" * 100)
    async with (
        _own_limits(taken) as (server, port),
        await Client.connect(port) as client,
    ):
        client.send(sent[:-1])
        await until(lambda: bool(taken.parts))
        pass_time(server, 4.5)
        taken.open.set()
        await until(lambda: taken.pending == 0)
        await turn_loop()
        pass_time(server, 1.5)
        client.send(sent[-1:])
        assert (await client.receive()).status == 200
