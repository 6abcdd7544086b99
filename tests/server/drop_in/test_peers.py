"""Who is at the other end: addresses, what proxies say about them, client certificates."""

import ssl
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from http_client import Client, request
from http_serving import on_both_loops, serving
from tornado.netutil import bind_sockets, bind_unix_socket
from tornado.web import Application, RequestHandler

from app.httpserver import Options, Server

CLAIMS = ("X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https")


class Who(RequestHandler):
    """Answers with the address, the scheme and the certificate's name that it sees."""

    def get(self) -> None:
        certificate: Any = self.request.get_ssl_certificate()
        name = (
            dict(field[0] for field in certificate["subject"])["commonName"] if certificate else ""
        )
        self.write(f"{self.request.remote_ip} {self.request.protocol} {name}")


def _options(*networks: str, unix: bool = False) -> Options:
    return Options(trusted_proxies=tuple(map(ip_network, networks)), trust_unix_peers=unix)


async def _ask(options: Options, *fields: str, address: str = "127.0.0.1") -> str:
    server = Server(Application([("/", Who)]), options=options)
    (own,) = bind_sockets(0, address)
    server.add_sockets([own])
    try:
        async with await Client.connect(own.getsockname()[1], address=address) as client:
            return (await client.call(request("/", *fields))).body.decode()
    finally:
        server.stop()
        await server.close_all_connections()


async def _ask_unix(options: Options, path: Path) -> str:
    server = Server(Application([("/", Who)]), options=options)
    server.add_sockets([bind_unix_socket(str(path))])
    try:
        async with await Client.connect_unix(path) as client:
            return (await client.call(request("/", *CLAIMS))).body.decode()
    finally:
        server.stop()
        await server.close_all_connections()


@on_both_loops
async def test_claims_of_nobody_are_believed_by_default() -> None:
    assert await _ask(Options(), *CLAIMS) == "127.0.0.1 http "


@on_both_loops
async def test_claims_of_an_ipv4_proxy_are_believed() -> None:
    assert await _ask(_options("127.0.0.0/8"), *CLAIMS) == "203.0.113.7 https "


@on_both_loops
async def test_claims_of_an_ipv6_proxy_are_believed() -> None:
    assert await _ask(_options("::1/128"), *CLAIMS, address="::1") == "203.0.113.7 https "


@on_both_loops
async def test_claims_of_an_ipv6_peer_are_not_believed_for_an_ipv4_proxy() -> None:
    assert await _ask(_options("127.0.0.0/8"), *CLAIMS, address="::1") == "::1 http "


@on_both_loops
async def test_claims_of_another_address_are_not_believed() -> None:
    assert await _ask(_options("127.0.0.2/32"), *CLAIMS) == "127.0.0.1 http "


@on_both_loops
async def test_claims_on_a_unix_socket_are_believed_when_asked_for(tmp_path: Path) -> None:
    assert await _ask_unix(_options(unix=True), tmp_path / "socket") == "203.0.113.7 https "


@on_both_loops
async def test_claims_on_a_unix_socket_are_not_believed_by_default(tmp_path: Path) -> None:
    assert await _ask_unix(_options("0.0.0.0/0"), tmp_path / "socket") == "0.0.0.0 http "


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("X-Forwarded-For: 198.51.100.1, 203.0.113.7", "203.0.113.7 http "),
        ("X-Forwarded-For: 203.0.113.7, 127.0.0.9", "203.0.113.7 http "),
        ("X-Forwarded-For: 2001:db8::7", "2001:db8::7 http "),
        ("X-Forwarded-For: nonsense", "127.0.0.1 http "),
        ("X-Forwarded-Proto: gopher", "127.0.0.1 http "),
    ],
)
@on_both_loops
async def test_a_proxy_is_believed_about_what_it_has_seen_itself(field: str, expected: str) -> None:
    assert await _ask(_options("127.0.0.0/8"), field) == expected


@on_both_loops
async def test_a_connection_that_a_proxy_shares_has_the_client_of_each_request() -> None:
    options = _options("127.0.0.0/8")
    application = Application([("/", Who)])
    async with (
        serving(application, options=options) as (_, port),
        await Client.connect(port) as client,
    ):
        first = await client.call(request("/", "X-Forwarded-For: 203.0.113.1"))
        second = await client.call(request("/"))
    assert first.body == b"203.0.113.1 http "
    assert second.body == b"127.0.0.1 http "


@on_both_loops
async def test_a_client_certificate_is_seen_by_the_handler(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, certificate: tuple[Path, Path]
) -> None:
    server_tls.verify_mode = ssl.CERT_REQUIRED
    server_tls.load_verify_locations(certificate[0])
    client_tls.load_cert_chain(*certificate)
    async with (
        serving(Application([("/", Who)]), ssl_options=server_tls) as (_, port),
        await Client.connect(port, tls=client_tls) as client,
    ):
        assert (await client.call(request("/"))).body == b"127.0.0.1 https foo.example.com"


@on_both_loops
async def test_a_client_without_the_certificate_asked_for_is_not_answered(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, certificate: tuple[Path, Path]
) -> None:
    server_tls.verify_mode = ssl.CERT_REQUIRED
    server_tls.load_verify_locations(certificate[0])
    # In TLS 1.3 the client learns of its refusal after the handshake only.
    client_tls.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serving(Application([("/", Who)]), ssl_options=server_tls) as (server, port):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await Client.connect(port, tls=client_tls)
        assert server.statistics.requests == 0
