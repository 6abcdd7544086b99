"""Connections that were handed over are the server's no longer."""

import ssl
from typing import Any

import pytest
from http_client import Client, request
from http_serving import on_both_loops, serving, until
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import Application, RequestHandler

LONG_SECONDS = 120.0


class TakeOver(RequestHandler):
    """Detaches and sends lines back until the client closes."""

    async def get(self) -> None:
        connection: Any = self.request.connection
        stream: IOStream = connection.detach()
        self.settings["streams"].append(stream)
        await stream.write(b"yours\n")
        try:
            while True:
                await stream.write(await stream.read_until(b"\n"))
        except StreamClosedError:
            stream.close()


def _application() -> tuple[Application, list[IOStream]]:
    streams: list[IOStream] = []
    return Application([("/", TakeOver)], streams=streams), streams


@pytest.mark.parametrize("is_tls", [False, True])
@on_both_loops
async def test_a_detached_connection_is_not_counted(
    is_tls: bool, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    application, _ = _application()
    async with serving(application, ssl_options=server_tls if is_tls else None) as (server, port):
        async with await Client.connect(port, tls=client_tls if is_tls else None) as client:
            client.send(request("/"))
            await client.receive_exactly(6)
            await until(lambda: server.statistics.connections == 0)
            assert server.statistics.in_flight == 0
            client.send(b"more\n")
            assert await client.receive_exactly(5) == b"more\n"
        assert server.statistics.connections == 0


@pytest.mark.parametrize("is_tls", [False, True])
@on_both_loops
async def test_a_drain_does_not_wait_for_a_detached_connection(
    is_tls: bool, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    application, _ = _application()
    async with (
        serving(application, ssl_options=server_tls if is_tls else None) as (server, port),
        await Client.connect(port, tls=client_tls if is_tls else None) as client,
    ):
        client.send(request("/"))
        await client.receive_exactly(6)
        assert await server.drain(LONG_SECONDS) is True
        client.send(b"more\n")
        assert await client.receive_exactly(5) == b"more\n"


@on_both_loops
async def test_what_a_stream_has_written_over_tls_arrives_before_it_is_closed(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    class Goodbye(RequestHandler):
        async def get(self) -> None:
            connection: Any = self.request.connection
            stream: IOStream = connection.detach()
            await stream.write(b"x" * 1_000_000)
            stream.close()

    async with (
        serving(Application([("/", Goodbye)]), ssl_options=server_tls) as (_, port),
        await Client.connect(port, tls=client_tls) as client,
    ):
        client.send(request("/"))
        assert len(await client.rest()) == 1_000_000


@on_both_loops
async def test_what_the_client_has_sent_over_tls_arrives_before_its_close(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    received: list[bytes] = []

    class Listen(RequestHandler):
        async def get(self) -> None:
            connection: Any = self.request.connection
            stream: IOStream = connection.detach()
            received.append(await stream.read_until_close())

    async with serving(Application([("/", Listen)]), ssl_options=server_tls) as (_, port):
        async with await Client.connect(port, tls=client_tls) as client:
            client.send(request("/") + b"x" * 1_000_000)
            await client.writer.drain()
        await until(lambda: bool(received))
    assert len(received[0]) == 1_000_000
