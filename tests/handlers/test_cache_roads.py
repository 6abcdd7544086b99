"""A GET is answered by a handler or by the shortcut: nobody can tell which, but by the time."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from api import Api
from raw_http import send

from app.httpserver import Server
from app.metrics import Metrics
from handlers.application import TodoApplication
from handlers.representation import Representation

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("settled")]

UNKNOWN = "/v1/todos/0123456789abcdef01234567"
LAST = b"GET /index HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: last\r\nConnection: close\r\n\r\n"
"""Ends the connection, and shows that nothing stands between two answers."""

CACHED = {
    "v0": "/todo",
    "v0 from the start": "/todo?start=0",
    "v0 deeper": "/todo?start=2",
    "v0 past the end": "/todo?start=1000",
    "v0 with nonsense": "/todo?start=nonsense&other=1",
    "v1": "/v1/todos",
    "v1 limited": "/v1/todos?limit=2",
    "v1 finished": "/v1/todos?is_finished=true",
    "v1 second page": "/v1/todos?limit=2&cursor={cursor}",
    "v1 second page of unfinished ones": "/v1/todos?limit=1&is_finished=false&cursor={unfinished}",
    "one todo": "{todo}",
}

CONDITIONS = {
    "none": ((), 200),
    "the tag": (("{tag}",), 304),
    "the tag, weakly": (("W/{tag}",), 304),
    "the tag among others": (('"a", {tag},"b"',), 304),
    "the tag on a second line": (('"a"', "{tag}"), 304),
    "any": (("*",), 304),
    "another tag": (('"a"',), 200),
    "no list of tags": (("a",), 400),
    "empty": (("",), 400),
}

Roads = Callable[..., Any]


async def fill(api: Api) -> dict[str, str]:
    """Add some todos; return what the targets are made of."""
    first, *_ = [await api.add(f"todo {number}") for number in range(5)]
    await api.call("PATCH", f"/v1/todos/{first['id']}", json_body={"is_finished": True})
    pages = [await api.call("GET", f"/v1/todos?limit={limit}") for limit in (2,)]
    unfinished = await api.call("GET", "/v1/todos?limit=1&is_finished=false")
    return {
        "todo": f"/v1/todos/{first['id']}",
        "cursor": pages[0].json()["next_cursor"],
        "unfinished": unfinished.json()["next_cursor"],
    }


def request(method: str, target: str, *fields: str) -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode()


async def exchange(api: Api, method: str, target: str, *fields: str) -> bytes:
    """Return the answer as it came, but for the date."""
    fields = fields or ("X-Request-Id: mine",)
    received = await send(api.port, request(method, target, *fields) + LAST)
    return re.sub(rb"\r\nDate: [^\r]{29}\r\n", b"\r\nDate: -\r\n", received)


@asynccontextmanager
async def by_handler(app: TodoApplication, server: Server) -> AsyncIterator[None]:
    """Forget all targets, and hold that the one request in the block goes to its handler."""
    app.shortcut._known.clear()
    before = server.statistics.ready_answers
    yield
    assert server.statistics.ready_answers == before


@asynccontextmanager
async def by_shortcut(server: Server) -> AsyncIterator[None]:
    """Hold that the one request in the block takes the shortcut."""
    before = server.statistics.ready_answers
    yield
    assert server.statistics.ready_answers == before + 1


@pytest.mark.parametrize("template", CACHED.values(), ids=CACHED)
async def test_both_roads_send_the_same_bytes(
    api: Api, app: TodoApplication, http_server: tuple[Server, int], template: str
) -> None:
    server, _ = http_server
    target = template.format(**await fill(api))
    app.shortcut._known.clear()
    cold = await exchange(api, "GET", target)
    tag = re.search(rb"\r\nEtag: ([^\r]+)", cold, re.IGNORECASE)
    assert tag is not None
    assert await exchange(api, "GET", target) == cold
    for method in ("GET", "HEAD"):
        for values, status in CONDITIONS.values():
            conditions = [f"If-None-Match: {value.format(tag=tag[1].decode())}" for value in values]
            fields = ("X-Request-Id: mine", *conditions)
            async with by_handler(app, server):
                ordinary = await exchange(api, method, target, *fields)
            assert ordinary.startswith(b"HTTP/1.1 %d " % status)
            if status == 400:  # Only the handler says what is wrong.
                assert await exchange(api, method, target, *fields) == ordinary
                continue
            app.shortcut._known.clear()
            await exchange(api, "GET", target)
            async with by_shortcut(server):
                assert await exchange(api, method, target, *fields) == ordinary


@pytest.mark.parametrize(
    "target",
    [
        *(UNKNOWN, "/v1/todos/junk", "/todo?start=999999999", "/v1/todos?limit=0", "/nowhere"),
        *("/v1/todos?limit=1e1&a=1", f"{UNKNOWN}?fields=id"),
    ],
)
async def test_what_is_no_success_is_answered_the_same_every_time(
    api: Api, http_server: tuple[Server, int], target: str
) -> None:
    await api.add()
    before = http_server[0].statistics.ready_answers
    for method in ("GET", "HEAD"):
        for condition in ((), ("If-None-Match: *",), ("If-None-Match: junk",)):
            fields = ("X-Request-Id: mine", *condition)
            first, *later = [await exchange(api, method, target, *fields) for _ in range(3)]
            assert re.match(rb"HTTP/1\.1 4\d\d ", first)
            assert later == [first] * 2
    assert http_server[0].statistics.ready_answers == before


async def test_a_todo_that_was_deleted_is_answered_as_one_that_never_was(api: Api) -> None:
    todo = (await fill(api))["todo"]
    for _ in range(2):
        assert (await exchange(api, "GET", todo)).startswith(b"HTTP/1.1 200 ")
    await api.call("DELETE", todo)
    for _ in range(3):
        gone = await exchange(api, "GET", todo)
        assert gone == await exchange(api, "GET", UNKNOWN)


async def test_conditions_that_the_shortcut_does_not_know_go_to_the_handler(
    api: Api, http_server: tuple[Server, int]
) -> None:
    todo = (await fill(api))["todo"]
    await exchange(api, "GET", todo)
    before = http_server[0].statistics.ready_answers
    refused = await exchange(api, "GET", todo, 'If-Match: "99"')
    assert refused.startswith(b"HTTP/1.1 412 ")
    assert http_server[0].statistics.ready_answers == before


@pytest.mark.parametrize(
    ("given", "is_kept"), [("mine-1", True), ("a" * 128, True), ("a" * 129, False), ("a b", False)]
)
async def test_a_request_id_of_the_client_comes_back_on_both_roads_if_it_is_fit(
    api: Api, http_server: tuple[Server, int], given: str, *, is_kept: bool
) -> None:
    told = []
    for _ in range(2):
        answer = await exchange(api, "GET", "/todo", f"X-Request-Id: {given}")
        told += re.findall(rb"\r\nX-Request-Id: ([^\r]+)", answer)[:1]
    assert http_server[0].statistics.ready_answers == 1
    if is_kept:
        assert told == [given.encode()] * 2
    else:
        assert len(set(told)) == 2
        assert all(re.fullmatch(rb"[0-9a-f]{16}", one) for one in told)


async def test_a_fault_on_the_shortcut_is_logged_and_the_handler_answers(
    api: Api,
    http_server: tuple[Server, int],
    monkeypatch: pytest.MonkeyPatch,
    expect_log: Callable[[str], None],
) -> None:
    first = await exchange(api, "GET", "/todo")
    monkeypatch.delattr(Representation, "answer")
    expect_log("fault on the short cut to /todo")
    assert await exchange(api, "GET", "/todo") == first
    assert http_server[0].statistics.ready_answers == 0


# --- What is written down


def first_of(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the first of two access lines says, but for times."""
    first, last = lines
    assert last["request_id"] == "last"
    assert first.pop("duration_ms") > 0
    del first["ts"]
    return first


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("condition", [(), ("If-None-Match: *",)])
@pytest.mark.parametrize("template", ["/todo?start=2", "/v1/todos?limit=2", "{todo}"])
async def test_both_roads_leave_the_same_access_line(
    api: Api,
    app: TodoApplication,
    http_server: tuple[Server, int],
    access_lines: Callable[[], list[dict[str, Any]]],
    method: str,
    condition: tuple[str, ...],
    template: str,
) -> None:
    server, _ = http_server
    target = template.format(**await fill(api))
    fields = ("X-Request-Id: mine", *condition)
    access_lines()
    async with by_handler(app, server):
        await exchange(api, method, target, *fields)
    ordinary = first_of(access_lines())
    async with by_shortcut(server):
        await exchange(api, method, target, *fields)
    assert first_of(access_lines()) == ordinary
    assert ordinary["request_id"] == "mine"
    assert ordinary["url.path"] == target.partition("?")[0]
    assert ordinary["http.response.status_code"] == (304 if condition else 200)


def counts(metrics: Metrics) -> Counter[str]:
    """Return all counts of requests and of the cache."""
    lines = metrics.render().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines)
    names = re.compile(r"http_server_request_duration_seconds_count|todo_cache_.*(total|count)")
    return Counter({name: int(float(count)) for name, _, count in pairs if names.match(name)})


@pytest.mark.parametrize("state", ["kept", "changed", "being written"])
async def test_both_roads_count_the_same(
    api: Api,
    app: TodoApplication,
    http_server: tuple[Server, int],
    cache: Any,
    metrics: Metrics,
    state: str,
) -> None:
    server, _ = http_server
    todo = (await fill(api))["todo"]
    await exchange(api, "GET", todo)

    async def count(road: Any) -> Counter[str]:
        if state == "changed":
            await api.call("PATCH", todo, json_body={"is_finished": True})
        elif state == "being written":
            await cache.stamps.mark(["public"])
        before = counts(metrics)
        async with road:
            await exchange(api, "GET", todo)
        return counts(metrics) - before

    ordinary = await count(by_handler(app, server))
    assert ordinary.total() > 3
    assert await count(by_shortcut(server)) == ordinary
