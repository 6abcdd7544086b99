"""Who a request came from, and whose word about that is believed."""

import socket
from ipaddress import ip_network

import pytest

from app.httpserver.context import Context, forwarded_context, is_trusted, peer_context
from app.httpserver.framing import understand
from app.httpserver.head import RawHead
from app.httpserver.options import Options

OPTIONS = Options(trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")))
PEER = Context("10.0.0.1", "http")


def claimed(*fields: tuple[str, str]) -> Context:
    raw = RawHead("GET", "/", "HTTP/1.1", (("Host", "a"), *fields))
    return forwarded_context(PEER, understand(raw, OPTIONS, ()).forwarded, OPTIONS)


def test_a_context_prints_as_its_address():
    assert str(PEER) == "10.0.0.1"


@pytest.mark.parametrize(
    ("family", "address", "ip"),
    [
        (socket.AF_INET, ("192.0.2.1", 1), "192.0.2.1"),
        (socket.AF_INET6, ("2001:db8::1", 1, 0, 0), "2001:db8::1"),
        (socket.AF_UNIX, "", "0.0.0.0"),
        (socket.AF_UNIX, b"name", "0.0.0.0"),
    ],
)
def test_a_peer_is_what_the_kernel_says(family: socket.AddressFamily, address: object, ip: str):
    context = peer_context(family, address, "https")
    assert (context.remote_ip, context.protocol) == (ip, "https")


@pytest.mark.parametrize("ip", ["10.0.0.1", "10.255.255.255", "fd00::1"])
def test_a_proxy_is_trusted(ip: str):
    assert is_trusted(Context(ip, "http"), socket.AF_INET, OPTIONS)


@pytest.mark.parametrize("ip", ["9.255.255.255", "11.0.0.0", "fe00::1", "0.0.0.0", "", "a"])
def test_nobody_else_is_trusted(ip: str):
    assert not is_trusted(Context(ip, "http"), socket.AF_INET, OPTIONS)


def test_nobody_is_trusted_by_default():
    assert not is_trusted(Context("127.0.0.1", "http"), socket.AF_INET, Options())
    assert not is_trusted(Context("0.0.0.0", "http"), socket.AF_UNIX, Options())


def test_unix_peers_are_trusted_where_the_options_say_so():
    options = Options(trust_unix_peers=True)
    assert is_trusted(Context("0.0.0.0", "http"), socket.AF_UNIX, options)
    assert not is_trusted(Context("0.0.0.0", "http"), socket.AF_INET, options)


def test_networks_are_not_the_way_to_trust_unix_peers():
    options = Options(trusted_proxies=(ip_network("0.0.0.0/0"),))
    assert not is_trusted(Context("0.0.0.0", "http"), socket.AF_UNIX, options)


@pytest.mark.parametrize(
    ("value", "ip"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7\t", "192.0.2.7"),
        ("192.0.2.6, 192.0.2.7", "192.0.2.7"),
        ("192.0.2.6,192.0.2.7,10.0.0.2,\t10.0.0.3", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0::1, fd00::1", "2001:db8::1"),
        ("a, 192.0.2.7", "192.0.2.7"),
        *(("192.0.2.7:1234", "192.0.2.7"), ("192.0.2.7:80, 10.0.0.2:81", "192.0.2.7")),
        *(("[2001:db8::1]", "2001:db8::1"), ("[2001:db8::1]:443, [fd00::1]", "2001:db8::1")),
    ],
)
def test_the_last_address_that_is_no_proxys_is_the_clients(value: str, ip: str):
    assert claimed(("X-Forwarded-For", value)).remote_ip == ip


def test_repeated_fields_are_one_list():
    fields = (("X-Forwarded-For", "192.0.2.6, 192.0.2.7"), ("x-forwarded-for", "10.0.0.2"))
    assert claimed(*fields).remote_ip == "192.0.2.7"


@pytest.mark.parametrize(
    "value",
    [
        *("", "a", "192.0.2.7, ", "192.0.2.7, a", "[192.0.2.7", "[]", "[a]:1", "192.0.2.7:"),
        *(
            "192.0.2.7:a",
            "192.0.2.7:123456",
            "[2001:db8::1]443",
            "192.0.2.7]:80",
            "a:80",
            "fe80::1%a",
        ),
    ],
)
def test_what_is_no_address_ends_the_list(value: str):
    assert claimed(("X-Forwarded-For", value)).remote_ip == "10.0.0.1"


def test_a_broken_address_leaves_the_proxies_that_are_known():
    assert claimed(("X-Forwarded-For", "a, 10.0.0.2")).remote_ip == "10.0.0.2"


def test_without_the_fields_the_peer_is_the_client():
    context = claimed(("X-Real-Ip", "192.0.2.7"), ("X-Scheme", "https"))
    assert (context.remote_ip, context.protocol) == ("10.0.0.1", "http")


@pytest.mark.parametrize(
    ("value", "scheme"),
    [
        *(
            ("https", "https"),
            ("HTTPS", "https"),
            ("http, https ", "https"),
            ("https,http", "http"),
        ),
        *(("ftp", "http"), ("", "http"), ("https,", "http"), ("https\xa0", "http")),
    ],
)
def test_the_last_scheme_counts_if_it_is_one(value: str, scheme: str):
    assert claimed(("X-Forwarded-Proto", value)).protocol == scheme
