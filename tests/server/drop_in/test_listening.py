"""Where a server can listen: ports, given sockets, Unix sockets, TLS."""

import asyncio
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from http_client import Client, request
from http_serving import Hello, on_both_loops, serving, until
from tornado.netutil import bind_sockets, bind_unix_socket
from tornado.web import Application

from app.httpserver import Options, Server


def _application() -> Application:
    return Application([("/", Hello)])


@on_both_loops
async def test_a_port_is_listened_on() -> None:
    async with serving(_application()) as (_, port), await Client.connect(port) as client:
        answer = await client.call(request("/"))
    assert (answer.status, answer.body) == (200, b"hello")


@on_both_loops
async def test_given_sockets_are_all_served() -> None:
    sockets = [*bind_sockets(0, "127.0.0.1"), *bind_sockets(0, "::1")]
    server = Server(_application())
    server.add_sockets(sockets)
    try:
        for own in sockets:
            address, port = own.getsockname()[:2]
            async with await Client.connect(port, address=address) as client:
                assert (await client.call(request("/"))).body == b"hello"
    finally:
        server.stop()
        await server.close_all_connections()


@on_both_loops
async def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    server = Server(_application())
    server.add_sockets([bind_unix_socket(str(path))])
    try:
        async with await Client.connect_unix(path) as client:
            for _ in range(2):
                assert (await client.call(request("/"))).body == b"hello"
    finally:
        server.stop()
        await server.close_all_connections()


@on_both_loops
async def test_stop_closes_the_listening_sockets() -> None:
    async with serving(_application()) as (server, port):
        server.stop()
        own = socket.socket()
        try:
            assert own.connect_ex(("127.0.0.1", port)) != 0
        finally:
            own.close()


@on_both_loops
async def test_tls_is_spoken(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with (
        serving(_application(), ssl_options=server_tls) as (_, port),
        await Client.connect(port, tls=client_tls) as client,
    ):
        for _ in range(2):
            assert (await client.call(request("/"))).body == b"hello"


@on_both_loops
async def test_pipelined_requests_over_tls_are_answered_in_order(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    class Which(Hello):
        def get(self) -> None:
            self.write(self.get_argument("n"))

    async with (
        serving(Application([("/", Which)]), ssl_options=server_tls) as (_, port),
        await Client.connect(port, tls=client_tls) as client,
    ):
        client.send(b"".join(request(f"/?n={number}") for number in range(100)))
        bodies = [(await client.receive()).body for _ in range(100)]
    assert bodies == [b"%d" % number for number in range(100)]


@on_both_loops
async def test_plain_http_on_a_tls_port_is_closed_and_others_are_served(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with (
        serving(_application(), ssl_options=server_tls) as (_, port),
        await Client.connect(port) as plain,
        await Client.connect(port, tls=client_tls) as client,
    ):
        plain.send(request("/"))
        # A TLS alert at most, never an answer.
        assert b"HTTP/" not in await _rest_or_reset(plain)
        assert (await client.call(request("/"))).body == b"hello"


@on_both_loops
async def test_a_tls_handshake_that_never_comes_is_cut_off(server_tls: ssl.SSLContext) -> None:
    options = Options(head_seconds=0.2)
    async with (
        serving(_application(), ssl_options=server_tls, options=options) as (server, port),
        await Client.connect(port) as silent,
    ):
        assert await _rest_or_reset(silent) == b""
        await until(lambda: not server._accepting)


@on_both_loops
async def test_closing_all_connections_ends_tls_handshakes(server_tls: ssl.SSLContext) -> None:
    options = Options(head_seconds=3600.0)
    async with (
        serving(_application(), ssl_options=server_tls, options=options) as (server, port),
        await Client.connect(port) as silent,
    ):
        await until(lambda: bool(server._accepting))
        await server.close_all_connections()
        assert not server._accepting
        assert await _rest_or_reset(silent) == b""


@pytest.mark.parametrize("turns", range(6))
@on_both_loops
async def test_closing_all_connections_takes_those_whose_tls_handshake_ends_just_then(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, turns: int
) -> None:
    options = Options(head_seconds=3600.0)
    loop = asyncio.get_running_loop()
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_tls.wrap_bio(received, sent)
    async with serving(_application(), ssl_options=server_tls, options=options) as (server, port):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setblocking(False)
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            is_done = False
            while not is_done:
                await loop.sock_sendall(client, sent.read())
                received.write(await loop.sock_recv(client, 65536))
                with suppress(ssl.SSLWantReadError):
                    tls.do_handshake()
                    is_done = True
            client.sendall(sent.read())
            for _ in range(turns):
                await asyncio.sleep(0)
            await server.close_all_connections()
            assert server.statistics.connections == 0


@on_both_loops
async def test_two_servers_share_a_loop() -> None:
    async with serving(_application()) as (_, first), serving(_application()) as (_, second):
        clients = await asyncio.gather(Client.connect(first), Client.connect(second))
        for client in clients:
            async with client:
                assert (await client.call(request("/"))).status == 200


async def _rest_or_reset(client: Client) -> bytes:
    try:
        return await client.rest()
    except ConnectionResetError:
        return b""
