"""Connections handed over: WebSockets with Tornado's own client, and byte by byte."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from http_client import Client, request
from http_serving import Hello, on_both_loops, serving, until
from tornado.httpclient import HTTPRequest
from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketClientConnection, WebSocketHandler, websocket_connect

from app.httpserver import Server

LARGE = "x" * 3_000_000
"""More than socket buffers hold, so that both directions are held up at times."""

HANDSHAKE = request(
    "/echo",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""What RFC 6455, section 1.3 answers this key with."""


def text_frame(text: bytes) -> bytes:
    """Return a masked text frame (RFC 6455, section 5.2); the mask is zero."""
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text


def answer_frame(text: bytes) -> bytes:
    """Return an unmasked text frame, as a server sends it."""
    return bytes([0x81, len(text)]) + text


class EchoSocket(WebSocketHandler):
    """Sends back what it gets; counts who has closed."""

    def initialize(self, closed: list[int | None]) -> None:
        self._closed = closed

    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message)

    def on_close(self) -> None:
        self._closed.append(self.close_code)


class TakeOver(RequestHandler):
    """Detaches and speaks a protocol of its own: lines, each sent back."""

    async def get(self) -> None:
        connection: Any = self.request.connection
        stream: IOStream = connection.detach()
        await stream.write(b"yours\n")
        try:
            while (line := await stream.read_until(b"\n")) != b"end\n":
                await stream.write(line)
        except StreamClosedError:
            self.settings["ended"].append(True)
        stream.close()


@asynccontextmanager
async def _serving(**arguments: Any) -> AsyncIterator[tuple[int, list[int | None], list[bool]]]:
    closed: list[int | None] = []
    ended: list[bool] = []
    routes = [("/", Hello), ("/echo", EchoSocket, {"closed": closed}), ("/own", TakeOver)]
    async with serving(Application(routes, ended=ended), **arguments) as (_, port):
        yield port, closed, ended


async def _open(port: int, tls: ssl.SSLContext | None = None) -> WebSocketClientConnection:
    scheme = "ws" if tls is None else "wss"
    url = HTTPRequest(f"{scheme}://localhost:{port}/echo", ssl_options=tls)
    return await websocket_connect(url)


async def _close(client: WebSocketClientConnection) -> None:
    client.close(1000)
    assert await client.read_message() is None


@on_both_loops
async def test_tornados_client_is_echoed() -> None:
    async with _serving() as (port, closed, _):
        client = await _open(port)
        for text in ("one", "two", "three"):
            await client.write_message(text)
        assert [await client.read_message() for _ in range(3)] == ["one", "two", "three"]
        await _close(client)
        await until(lambda: closed == [1000])


@on_both_loops
async def test_tornados_client_is_echoed_over_tls(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with _serving(ssl_options=server_tls) as (port, closed, _):
        client = await _open(port, client_tls)
        for text in ("one", "two", "three"):
            await client.write_message(text)
        assert [await client.read_message() for _ in range(3)] == ["one", "two", "three"]
        await _close(client)
        await until(lambda: closed == [1000])


@on_both_loops
async def test_large_messages_are_echoed_whole() -> None:
    async with _serving() as (port, _, _):
        client = await _open(port)
        await client.write_message(LARGE)
        assert await client.read_message() == LARGE
        await _close(client)


@on_both_loops
async def test_large_messages_are_echoed_whole_over_tls(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with _serving(ssl_options=server_tls) as (port, _, _):
        client = await _open(port, client_tls)
        await client.write_message(LARGE)
        assert await client.read_message() == LARGE
        await _close(client)


async def _shake_hands_and_send(client: Client, before: bytes = b"") -> None:
    client.send(before + HANDSHAKE + text_frame(b"early") + text_frame(b"bird"))
    if before:
        assert (await client.receive()).body == b"hello"
    head = await client.receive_exactly(len(b"HTTP/1.1 101 Switching Protocols\r\n"))
    assert head == b"HTTP/1.1 101 Switching Protocols\r\n"
    expected = answer_frame(b"early") + answer_frame(b"bird")
    fields = b""
    while not fields.endswith(b"\r\n\r\n"):
        fields += await client.receive_exactly(1)
    assert f"Sec-Websocket-Accept: {ACCEPT}\r\n".encode() in fields
    assert await client.receive_exactly(len(expected)) == expected


@on_both_loops
async def test_frames_in_the_segment_of_the_handshake_are_echoed() -> None:
    async with _serving() as (port, _, _), await Client.connect(port) as client:
        await _shake_hands_and_send(client)


@on_both_loops
async def test_frames_in_the_segment_of_the_handshake_are_echoed_over_tls(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with (
        _serving(ssl_options=server_tls) as (port, _, _),
        await Client.connect(port, tls=client_tls) as client,
    ):
        await _shake_hands_and_send(client)


@on_both_loops
async def test_an_upgrade_behind_a_pipelined_request_is_made() -> None:
    async with _serving() as (port, _, _), await Client.connect(port) as client:
        await _shake_hands_and_send(client, before=request("/"))


@on_both_loops
async def test_an_upgrade_behind_an_answer_that_is_not_yet_sent_is_made() -> None:
    class Large(RequestHandler):
        def get(self) -> None:
            self.write("x" * 60_000)

    # The answer fits the server's write buffer but not the socket's, which is inherited.
    (listening,) = bind_sockets(0, "127.0.0.1")
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    routes = [("/", Large), ("/echo", EchoSocket, {"closed": []})]
    server = Server(Application(routes))
    server.add_sockets([listening])
    try:
        port = listening.getsockname()[1]
        async with await Client.connect(port, receive_buffer_bytes=4096) as client:
            client.send(request("/") + HANDSHAKE + text_frame(b"early"))
            await until(lambda: server.statistics.requests == 2)
            assert len((await client.receive()).body) == 60_000
            head = await client.receive_exactly(len(b"HTTP/1.1 101"))
            assert head == b"HTTP/1.1 101"
            while not head.endswith(b"\r\n\r\n"):
                head += await client.receive_exactly(1)
            assert await client.receive_exactly(7) == answer_frame(b"early")
    finally:
        server.stop()
        await server.close_all_connections()


@on_both_loops
async def test_a_websocket_is_told_that_its_client_vanished() -> None:
    async with _serving() as (port, closed, _):
        async with await Client.connect(port) as client:
            await _shake_hands_and_send(client)
            client.reset()
        await until(lambda: closed == [None])


@on_both_loops
async def test_a_websocket_is_told_that_its_client_vanished_over_tls(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with _serving(ssl_options=server_tls) as (port, closed, _):
        async with await Client.connect(port, tls=client_tls) as client:
            await _shake_hands_and_send(client)
        await until(lambda: closed == [None])


@on_both_loops
async def test_another_protocol_is_spoken_after_a_detach() -> None:
    async with _serving() as (port, _, _), await Client.connect(port) as client:
        client.send(request("/own") + b"one\ntwo\n")
        assert await client.receive_exactly(14) == b"yours\none\ntwo\n"
        client.send(b"end\n")
        assert await client.rest() == b""


@on_both_loops
async def test_another_protocol_is_spoken_after_a_detach_over_tls(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with (
        _serving(ssl_options=server_tls) as (port, _, _),
        await Client.connect(port, tls=client_tls) as client,
    ):
        client.send(request("/own") + b"one\n")
        assert await client.receive_exactly(10) == b"yours\none\n"
        client.send(b"end\n")
        assert await client.rest() == b""


@on_both_loops
async def test_a_detached_stream_sees_its_client_close() -> None:
    async with _serving() as (port, _, ended):
        async with await Client.connect(port) as client:
            client.send(request("/own"))
            await client.receive_exactly(6)
        await until(lambda: ended == [True])


@on_both_loops
async def test_many_websockets_are_served_at_once() -> None:
    async with _serving() as (port, closed, _):
        clients = await asyncio.gather(*[_open(port) for _ in range(50)])
        for number, client in enumerate(clients):
            await client.write_message(str(number))
        assert [await client.read_message() for client in clients] == list(map(str, range(50)))
        await asyncio.gather(*map(_close, clients))
        await until(lambda: closed == [1000] * 50)
