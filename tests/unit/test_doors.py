"""Who is let in without an account is decided by method, header fields and scheme alone."""

from typing import Any

import pytest

from app.bootstrap import make_doors
from app.settings import Settings
from handlers.doors import Doors

SAFE = ("GET", "HEAD", "OPTIONS")
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
LOCAL = Doors()


def judge(
    fields: dict[str, str],
    *,
    method: str = "GET",
    doors: Doors = LOCAL,
    scheme: str | None = "http",
) -> str | None:
    """Return the code of the problem that a request is refused with."""
    refusal = doors.judge(method, fields.get, scheme)
    return None if refusal is None else refusal.code


def opened(**settings: Any) -> Doors:
    return make_doors(Settings(**settings))


# --- Host: DNS rebinding

OURS = [
    *("localhost", "localhost:8000", "LocalHost:9000", "localhost.", "localhost.:8000"),
    *("localhost:", "todo.localhost:8000", "127.0.0.1", "127.0.0.1:8000", "127.1.2.3:1"),
    *("127.0.0.1.:8000", "[::1]", "[::1]:8000", "[0:0:0:0:0:0:0:1]:8000", "[::ffff:127.0.0.1]"),
]
FOREIGN = [
    *("rebind.evil.example:8000", "evil.example", "localhost.evil.example"),
    *("127.0.0.1.evil.example", "evil-localhost", "notlocalhost:8000", "localhost..", ".", ":8000"),
    *("0.0.0.0:8000", "128.0.0.1", "192.168.1.5:8000", "127.1", "0x7f000001", "2130706433"),
    *("[::2]:8000", "[fe80::1]", "[::ffff:10.0.0.1]", "%6cocalhost", "x", "localhost:8000:8000"),
]  # fmt: skip


@pytest.mark.parametrize("host", OURS)
def test_every_name_of_loopback_is_ours(host: str) -> None:
    assert judge({"host": host}) is None
    assert judge({"host": host}, method="POST") is None


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
def test_a_foreign_host_is_refused_whatever_the_method(host: str, method: str) -> None:
    assert judge({"host": host}, method=method) == "local-only"


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_host_is_refused_behind_a_proxy_too(host: str) -> None:
    assert judge({"host": host}, doors=opened(anonymous="write")) == "local-only"


@pytest.mark.parametrize("fields", [{}, {"host": ""}])
def test_a_request_without_a_host_is_served(fields: dict[str, str]) -> None:
    assert judge(fields) is None


def test_names_that_are_set_are_ours_beside_those_of_loopback() -> None:
    doors = opened(hosts="Todo.example.org, 192.0.2.1,[2001:db8::1]")
    ours = ("todo.example.org", "TODO.example.org.:80", "192.0.2.1:8000", "[2001:DB8::1]:1")
    for host in (*ours, "localhost:8000"):
        assert judge({"host": host}, doors=doors) is None
    for host in ("example.org", "x.todo.example.org", "192.0.2.2"):
        assert judge({"host": host}, doors=doors) == "local-only"


def test_any_host_is_served_where_that_is_set() -> None:
    assert judge({"host": "whoever.example"}, doors=opened(hosts="any")) is None


# --- Somebody's proxy

PASSED_ON = ("forwarded", "via", "x-forwarded-for", "x-real-ip")


@pytest.mark.parametrize("field", PASSED_ON)
@pytest.mark.parametrize("value", ["203.0.113.9", "127.0.0.1", "1.1 proxy", ""])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_a_proxy_has_passed_on_is_refused(field: str, value: str, method: str) -> None:
    assert judge({"host": "localhost", field: value}, method=method) == "local-only"


@pytest.mark.parametrize("field", PASSED_ON)
def test_what_a_proxy_has_passed_on_is_served_where_that_is_set(field: str) -> None:
    doors = opened(anonymous="write")
    assert judge({"host": "localhost", field: "203.0.113.9"}, doors=doors) is None


@pytest.mark.parametrize(
    "settings",
    [
        {"trusted_proxies": "127.0.0.0/8"},
        {"host": "0.0.0.0", "allow_public": True},
        {"host": "::", "allow_public": True, "hosts": "any"},
    ],
    ids=["a proxy", "all addresses", "all addresses of IPv6"],
)
def test_by_default_nobody_is_served_where_others_can_reach_the_service(
    settings: dict[str, Any],
) -> None:
    for method in (*SAFE, *UNSAFE):
        assert judge({"host": "localhost"}, method=method, doors=opened(**settings)) == "local-only"
        everybody = opened(**settings, anonymous="write")
        assert judge({"host": "localhost"}, method=method, doors=everybody) is None


# --- Pages of others: forgery

TABLE = [
    ({"sec-fetch-site": "same-origin"}, True),
    ({"sec-fetch-site": "none"}, True),
    ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, True),
    ({"sec-fetch-site": "none", "origin": "null"}, True),
    ({"sec-fetch-site": "same-site"}, False),
    ({"sec-fetch-site": "cross-site"}, False),
    ({"sec-fetch-site": "same-site", "origin": "http://localhost:8000"}, False),
    ({"sec-fetch-site": "cross-site", "origin": "http://localhost:8000"}, False),
    ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, False),
    ({"sec-fetch-site": "Same-Origin"}, False),
    ({"sec-fetch-site": "same-origin, cross-site"}, False),
    ({"sec-fetch-site": "none,none"}, False),
    ({"sec-fetch-site": "invented"}, False),
    ({"sec-fetch-site": ""}, False),
    ({"origin": "http://localhost:8000"}, True),
    ({"origin": "HTTP://LOCALHOST:8000"}, True),
    ({"origin": "https://evil.example"}, False),
    ({"origin": "https://localhost:8000"}, False),
    ({"origin": "http://localhost"}, False),
    ({"origin": "http://localhost:8001"}, False),
    ({"origin": "http://127.0.0.1:8000"}, False),
    ({"origin": "http://localhost.:8000"}, False),
    ({"origin": "http://localhost:8000.evil.example"}, False),
    ({"origin": "http://evil@localhost:8000"}, False),
    ({"origin": "http://localhost:8000/"}, False),
    ({"origin": "http://localhost:8000,http://localhost:8000"}, False),
    ({"origin": "localhost:8000"}, False),
    ({"origin": "null"}, False),
    ({"origin": ""}, False),
    ({}, True),
]


@pytest.mark.parametrize(("fields", "is_let_in"), TABLE, ids=str)
def test_only_pages_of_the_same_origin_may_change_todos(
    fields: dict[str, str], *, is_let_in: bool
) -> None:
    for doors in (LOCAL, opened(anonymous="write"), opened(anonymous="write", hosts="any")):
        for method in UNSAFE:
            refused = judge({"host": "localhost:8000", **fields}, method=method, doors=doors)
            assert refused == (None if is_let_in else "cross-origin")
        for method in SAFE:
            assert judge({"host": "localhost:8000", **fields}, method=method, doors=doors) is None


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("http", "localhost", "http://localhost"),
        ("http", "localhost:80", "http://localhost"),
        ("http", "localhost:", "http://localhost"),
        ("https", "localhost", "https://localhost"),
        ("https", "localhost:443", "https://localhost"),
        ("https", "localhost:80", "https://localhost:80"),
        ("http", "[::1]:8000", "http://[::1]:8000"),
        ("http", "[::1]:80", "http://[::1]"),
        ("http", "127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("http", "LOCALHOST.:8000", "http://localhost.:8000"),
    ],
)
def test_a_port_that_the_scheme_implies_may_be_left_out(
    scheme: str, host: str, origin: str
) -> None:
    fields = {"host": host, "origin": origin}
    assert judge(fields, method="POST", scheme=scheme) is None
    other = {"http": "https", "https": "http"}[scheme]
    assert judge(fields, method="POST", scheme=other) == "cross-origin"


@pytest.mark.parametrize("fields", [{}, {"host": ""}])
def test_where_no_host_was_asked_no_origin_is_ours(fields: dict[str, str]) -> None:
    assert judge({**fields, "origin": "http://"}, method="POST") == "cross-origin"


def test_an_origin_is_refused_where_the_scheme_is_not_known() -> None:
    fields = {"host": "localhost", "origin": "http://localhost"}
    assert judge(fields, method="POST", scheme=None) == "cross-origin"
    assert judge({**fields, "sec-fetch-site": "same-origin"}, method="POST", scheme=None) is None
