"""Who is not let in is not answered, by a handler or by the shortcut, and is told why."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from api import Api
from raw_http import send

from app.httpserver import Server
from app.settings import Settings

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("settled")]

FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"
ORDINARY = "Range: bytes=0-"
"""A field that means nothing to this service, and that the shortcut is not taken with."""

BODIES = {"/todo": (FORM, b"content=forged"), "/v1/todos": (JSON, b'{"content":"forged"}')}

FORGED = {
    "of a foreign page": ("Origin: https://evil.example", "Sec-Fetch-Site: cross-site"),
    "of a foreign page, told by Origin": ("Origin: https://evil.example",),
    "of a foreign page, told by Sec-Fetch-Site": ("Sec-Fetch-Site: cross-site",),
    "of the same site": ("Sec-Fetch-Site: same-site",),
    "of a sandboxed page": ("Origin: null",),
    "of another port": ("Origin: http://localhost:1",),
    "with two origins": ("Origin: http://localhost", "Origin: http://localhost"),
    "with two answers": ("Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"),
}
OWN = {
    "of a program": (),
    "of a page": ("Sec-Fetch-Site: same-origin", "Origin: http://localhost"),
    "of the person": ("Sec-Fetch-Site: none",),
}
OWN_BY_ORIGIN = ("Origin: http://localhost",)
STRANGE = {
    "DNS rebinding": ("Host: rebind.evil.example:8000",),
    "X-Forwarded-For": ("Host: localhost", "X-Forwarded-For: 203.0.113.9"),
    "x-forwarded-for, empty": ("Host: localhost", "x-forwarded-for:"),
    "X-Real-IP": ("Host: localhost", "X-Real-IP: 203.0.113.9"),
    "Forwarded": ("Host: localhost", "Forwarded: for=203.0.113.9"),
    "Via": ("Host: localhost", "Via: 1.1 proxy"),
    "a proxy that passes Host on": ("Host: todo.example.com", "X-Forwarded-For: 203.0.113.9"),
}


def get(target: str, *fields: str, method: str = "GET") -> bytes:
    lines = (f"{method} {target} HTTP/1.1", *fields, "X-Request-Id: mine", "Connection: close")
    return "\r\n".join([*lines, "", ""]).encode()


def post(target: str, *fields: str) -> bytes:
    media_type, body = BODIES[target]
    length = f"Content-Length: {len(body)}"
    return get(target, *fields, media_type, length, method="POST") + body


async def exchange(api: Api, data: bytes) -> bytes:
    """Return the answer as it came, but for the date."""
    return re.sub(rb"\r\nDate: [^\r]{29}\r\n", b"\r\n", await send(api.port, data))


async def refused(api: Api, data: bytes) -> dict[str, object]:
    """Hold that a request is answered with 403; return the problem."""
    head, _, body = (await exchange(api, data)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 "), head
    problem: dict[str, object] = json.loads(body)
    return problem


@asynccontextmanager
async def by(server: Server, *, shortcut: int) -> AsyncIterator[None]:
    """Hold that so many of the requests in the block take the shortcut."""
    before = server.statistics.ready_answers
    yield
    assert server.statistics.ready_answers == before + shortcut


async def count(api: Api) -> int:
    return len((await api.call("GET", "/v1/todos")).json()["items"])


# --- Pages of others


@pytest.mark.parametrize("fields", FORGED.values(), ids=FORGED)
async def test_a_forged_post_is_refused_on_both_roads_and_stores_nothing(
    api: Api, http_server: tuple[Server, int], fields: tuple[str, ...]
) -> None:
    async with by(http_server[0], shortcut=0):
        for target in BODIES:
            problem = await refused(api, post(target, "Host: localhost", *fields))
            assert problem == await refused(api, post(target, "Host: localhost", *fields, ORDINARY))
            assert problem["type"] == "/problems/cross-origin"
    assert await count(api) == 0


@pytest.mark.parametrize("fields", FORGED.values(), ids=FORGED)
async def test_a_forged_change_is_refused_and_changes_nothing(
    api: Api, fields: tuple[str, ...]
) -> None:
    todo = await api.add()
    one, old = f"/v1/todos/{todo['id']}", f"/todo/{todo['id']}"
    for method, target in (
        *(("PATCH", one), ("DELETE", one)),
        *(("PUT", f"{old}/finish"), ("DELETE", old)),
    ):
        problem = await refused(api, get(target, "Host: localhost", *fields, method=method))
        assert problem["type"] == "/problems/cross-origin"
    assert (await api.call("GET", one)).json() == todo


async def test_reading_is_left_to_the_browser_to_refuse(api: Api) -> None:
    for fields in FORGED.values():
        answer = await exchange(api, get("/v1/todos", "Host: localhost", *fields))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nCross-Origin-Resource-Policy: same-origin\r\n" in answer
        assert b"access-control-allow" not in answer.lower()


@pytest.mark.parametrize("fields", OWN.values(), ids=OWN)
async def test_what_is_ours_is_stored_on_both_roads(
    api: Api, http_server: tuple[Server, int], fields: tuple[str, ...]
) -> None:
    for target in BODIES:
        for road, more in ((1, ()), (0, (ORDINARY,))):
            async with by(http_server[0], shortcut=road):
                answer = await exchange(api, post(target, "Host: localhost", *fields, *more))
            assert re.match(rb"HTTP/1\.1 20[01] ", answer)


async def test_a_page_of_ours_that_only_origin_tells_of_is_left_to_the_handler(
    api: Api, http_server: tuple[Server, int]
) -> None:
    async with by(http_server[0], shortcut=0):
        answer = await exchange(api, post("/todo", "Host: localhost", *OWN_BY_ORIGIN))
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_request_behind_a_forged_one_is_answered(api: Api) -> None:
    forged = post("/todo", "Host: localhost", "Origin: null").replace(b"Connection: close\r\n", b"")
    answers = await send(api.port, forged + get("/livez", "Host: localhost"))
    assert re.findall(rb"HTTP/1.1 (\d+) ", answers) == [b"403", b"200"]


# --- Names and proxies of others


@pytest.mark.parametrize("target", ["/v1/todos", "/todo"])
@pytest.mark.parametrize("fields", STRANGE.values(), ids=STRANGE)
async def test_what_is_not_from_this_machine_is_read_by_nobody_on_both_roads(
    api: Api, http_server: tuple[Server, int], target: str, fields: tuple[str, ...]
) -> None:
    await exchange(api, get(target, "Host: localhost"))
    for method in ("GET", "HEAD"):
        async with by(http_server[0], shortcut=1):
            answer = await exchange(api, get(target, "Host: localhost", method=method))
        assert answer.startswith(b"HTTP/1.1 200 ")
        async with by(http_server[0], shortcut=0):
            plain = await exchange(api, get(target, *fields, method=method))
            assert plain == await exchange(api, get(target, *fields, ORDINARY, method=method))
        assert plain.startswith(b"HTTP/1.1 403 ")
        assert method == "HEAD" or b'"type":"/problems/local-only"' in plain


@pytest.mark.parametrize("fields", STRANGE.values(), ids=STRANGE)
async def test_what_is_not_from_this_machine_is_not_stored(
    api: Api, http_server: tuple[Server, int], fields: tuple[str, ...]
) -> None:
    async with by(http_server[0], shortcut=0):
        for target in BODIES:
            problem = await refused(api, post(target, *fields))
            assert problem == await refused(api, post(target, *fields, ORDINARY))
            assert problem["type"] == "/problems/local-only"
    assert await count(api) == 0


async def test_every_name_of_this_machine_takes_the_shortcut(
    api: Api, http_server: tuple[Server, int]
) -> None:
    await exchange(api, get("/v1/todos", "Host: localhost"))
    for host in ("localhost:9000", "127.0.0.1", "127.8.8.8:1", "[::1]:8000"):
        async with by(http_server[0], shortcut=1):
            answer = await exchange(api, get("/v1/todos", f"Host: {host}"))
        assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_client_of_http_1_0_without_a_host_is_served(api: Api) -> None:
    assert (await send(api.port, b"GET /v1/todos HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("target", ["/livez", "/readyz", "/metrics", "/problems/local-only"])
async def test_monitoring_and_the_page_of_the_problem_are_for_everybody(
    api: Api, target: str
) -> None:
    for fields in STRANGE.values():
        assert (await exchange(api, get(target, *fields))).startswith(b"HTTP/1.1 200 ")


# --- Behind a proxy of ours

BEHIND = ("Host: todo.example.org", "X-Forwarded-For: 203.0.113.9", "X-Real-IP: 203.0.113.9")


class TestBehindNginx:
    """What a node's `todo.conf` sets."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(
            settings,
            trusted_proxies="127.0.0.0/8",
            anonymous="write",
            hosts="todo.example.org",
        )

    async def test_strangers_are_served_on_the_shortcut(
        self, api: Api, http_server: tuple[Server, int]
    ) -> None:
        await exchange(api, get("/v1/todos", *BEHIND))
        async with by(http_server[0], shortcut=1):
            answer = await exchange(api, get("/v1/todos", *BEHIND))
        assert answer.startswith(b"HTTP/1.1 200 ")
        async with by(http_server[0], shortcut=1):
            answer = await exchange(api, post("/v1/todos", *BEHIND))
        assert answer.startswith(b"HTTP/1.1 201 ")

    async def test_a_forged_post_is_refused(self, api: Api) -> None:
        for fields in FORGED.values():
            for more in ((), (ORDINARY,)):
                problem = await refused(api, post("/todo", *BEHIND, *fields, *more))
                assert problem["type"] == "/problems/cross-origin"

    async def test_the_scheme_of_an_origin_is_the_one_that_the_proxy_tells(self, api: Api) -> None:
        data = post("/todo", *BEHIND, "Origin: https://todo.example.org")
        assert (await refused(api, data))["type"] == "/problems/cross-origin"
        told = (*BEHIND, "X-Forwarded-Proto: https", "Origin: https://todo.example.org")
        assert (await exchange(api, post("/todo", *told))).startswith(b"HTTP/1.1 200 ")

    async def test_a_name_that_is_not_its_own_is_refused(self, api: Api) -> None:
        strange = ("Host: rebind.evil.example", *BEHIND[1:])
        problem = await refused(api, get("/v1/todos", *strange))
        assert problem["type"] == "/problems/local-only"


class TestBehindNginxByDefault:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, trusted_proxies="127.0.0.0/8")

    @pytest.mark.parametrize("fields", [("Host: localhost",), BEHIND])
    async def test_nobody_is_served(self, api: Api, fields: tuple[str, ...]) -> None:
        for data in (get("/v1/todos", *fields), post("/v1/todos", *fields)):
            assert (await refused(api, data))["type"] == "/problems/local-only"
