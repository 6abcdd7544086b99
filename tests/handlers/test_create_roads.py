"""A POST is answered by a handler or by the shortcut: nobody can tell which, but by the time."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from api import Api
from raw_http import send

from app.errors import StorageOverloaded, StorageUnavailable
from app.httpserver import Server
from app.metrics import Metrics
from app.storage.todos import MongoTodoRepository

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("settled")]

ORDINARY = "Range: bytes=0-"
"""A field that means nothing in a POST (RFC 9110, section 14.2), and is unusual."""

FORM = "application/x-www-form-urlencoded"
CREATES = {
    "v0": ("/todo", FORM, b"content=buy+milk"),
    "v0, Chinese": ("/todo", FORM, "content=给妈妈打电话".encode()),
    "v0, other fields": ("/todo", FORM, b"a=1&content=%F0%9F%8E%82&b="),
    "v0, other fields that are not UTF-8": ("/todo", FORM, b"a=%FF&content=x&%FF=\xff"),
    "v0, character set": ("/todo", f"{FORM}; charset=UTF-8", b"content=x"),
    "v0, repeated other fields": ("/todo", FORM, b"a=1&content=x&a=2"),
    "v1": ("/v1/todos", "application/json", b'{"content":"buy milk"}'),
    "v1, Chinese": ("/v1/todos", "application/json", '{"content":"买牛奶"}'.encode()),
    "v1, character set": ("/v1/todos", "application/json;charset=utf-8", b' {"content": "x"} '),
}
REFUSED = {
    "v0, empty": ("/todo", FORM, b"content=", 400),
    "v0, no content": ("/todo", FORM, b"other=x", 400),
    "v0, twice": ("/todo", FORM, b"content=x&content=y", 400),
    "v0, not UTF-8": ("/todo", FORM, b"content=\xff", 400),
    "v0, control character": ("/todo", FORM, b"content=%00", 400),
    "v0, JSON": ("/todo", "application/json", b'{"content":"x"}', 415),
    "v0, other character set": ("/todo", f"{FORM}; charset=gbk", b"content=x", 415),
    "v1, malformed": ("/v1/todos", "application/json", b'{"content":', 400),
    "v1, unknown member": ("/v1/todos", "application/json", b'{"content":"x","$gt":1}', 422),
    "v1, twice": ("/v1/todos", "application/json", b'{"content":"x","content":"y"}', 400),
    "v1, a form": ("/v1/todos", FORM, b"content=x", 415),
    "v1, read only": ("/v1/todos", "application/json", b'{"content":"x","id":"y","a":1}', 422),
    "v1, a huge number": ("/v1/todos", "application/json", b'{"content":1e400}', 422),
    "v1, many digits": ("/v1/todos", "application/json", b'{"content":' + b"1" * 4301 + b"}", 422),
    "v1, a parameter": ("/v1/todos?dry_run=true", "application/json", b'{"content":"x"}', 400),
    "v0, a broken multipart form": ("/todo", "multipart/form-data; boundary=x", b"--x--x", 400),
    "no such address": ("/todos", FORM, b"content=x", 404),
}


def post(target: str, media_type: str, body: bytes, *fields: str) -> bytes:
    lines = [
        *(f"POST {target} HTTP/1.1", "Host: localhost", f"Content-Type: {media_type}"),
        *(f"Content-Length: {len(body)}", "Connection: close", *fields),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def exchange(api: Api, data: bytes) -> bytes:
    """Return the answer as it came, but for the date."""
    received = await send(api.port, data)
    return re.sub(rb"\r\nDate: [^\r]{29}\r\n", b"\r\nDate: -\r\n", received)


def without_own(answer: bytes) -> bytes:
    """Return an answer without what differs from todo to todo."""
    answer = re.sub(rb"[0-9a-f]{24}", b"ID", answer)
    answer = re.sub(rb"Content-Length: [1-9]\d+", b"Content-Length: N", answer)
    return re.sub(rb"\d{4}-\d\d-\d\dT[\d:.]+Z", b"TIME", answer)


@asynccontextmanager
async def by(server: Server, *, shortcut: int) -> AsyncIterator[None]:
    """Hold that so many of the requests in the block take the shortcut."""
    before = server.statistics.ready_answers
    yield
    assert server.statistics.ready_answers == before + shortcut


@pytest.mark.parametrize(("target", "media_type", "body"), CREATES.values(), ids=CREATES)
async def test_both_roads_answer_the_same_and_store_the_same(
    api: Api, http_server: tuple[Server, int], target: str, media_type: str, body: bytes
) -> None:
    server, _ = http_server
    mine = "X-Request-Id: mine"
    async with by(server, shortcut=1):
        short = await exchange(api, post(target, media_type, body, mine))
    async with by(server, shortcut=0):
        ordinary = await exchange(api, post(target, media_type, body, mine, ORDINARY))
    assert re.match(rb"HTTP/1\.1 20[01] ", short)
    assert without_own(short) == without_own(ordinary)
    first, second = (await api.call("GET", "/v1/todos")).json()["items"]
    assert {first["id"].encode(), second["id"].encode()} == {
        re.findall(rb"\r\nLocation: /v1/todos/([0-9a-f]{24})\r\n", answer)[0]
        for answer in (short, ordinary)
    }
    assert first["content"] == second["content"]
    if short.startswith(b"HTTP/1.1 201 "):
        assert json.loads(short.partition(b"\r\n\r\n")[2]) == second


@pytest.mark.parametrize(("target", "media_type", "body", "status"), REFUSED.values(), ids=REFUSED)
async def test_what_is_wrong_is_said_by_the_handler_and_stores_nothing(
    api: Api,
    http_server: tuple[Server, int],
    target: str,
    media_type: str,
    body: bytes,
    status: int,
) -> None:
    async with by(http_server[0], shortcut=0):
        plain = await exchange(api, post(target, media_type, body, "X-Request-Id: mine"))
        ordinary = await exchange(
            api, post(target, media_type, body, "X-Request-Id: mine", ORDINARY)
        )
    assert plain.startswith(b"HTTP/1.1 %d " % status)
    assert plain == ordinary
    assert (await api.call("GET", "/v1/todos")).json()["items"] == []


@pytest.mark.parametrize(
    ("field", "status"),
    [
        *(("If-None-Match: *", 412), ("If-None-Match: W/{tag}", 412), ('If-Match: "a"', 412)),
        *(("If-Match: W/{tag}", 412), ("If-None-Match: a", 400), ("If-Match:", 400)),
        *(("If-None-Match: {tag}, x", 400), ("If-Match: {tag}", 201), ("If-Match: *", 201)),
        ('If-None-Match: "a"', 201),
    ],
)
async def test_preconditions_on_the_list_are_heeded_before_a_todo_is_added(
    api: Api, http_server: tuple[Server, int], field: str, status: int
) -> None:
    await api.add()
    listed = await api.call("GET", "/v1/todos")
    tag = listed.headers["ETag"]
    async with by(http_server[0], shortcut=0):
        answer = await exchange(api, post(*CREATES["v1"], field.format(tag=tag)))
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    if status == 412:
        assert f"\r\nEtag: {tag}\r\n".lower().encode() in answer.lower()
    todos = len((await api.call("GET", "/v1/todos")).json()["items"])
    assert todos == 1 + (status == 201)


async def test_the_first_version_adds_whatever_the_preconditions(api: Api) -> None:
    answer = await exchange(api, post(*CREATES["v0"], "If-None-Match: *", 'If-Match: "a"'))
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_body_that_comes_behind_its_head_is_stored_once(api: Api) -> None:
    data = post("/todo", FORM, b"content=late")
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    for part in (data[:-3], data[-3:]):
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.05)  # So that the server reads them apart; nothing is asserted of it.
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    assert [todo["content"] for todo in (await api.call("GET", "/v1/todos")).json()["items"]] == [
        "late"
    ]


async def test_pipelined_creates_are_answered_and_stored_in_their_order(
    api: Api, http_server: tuple[Server, int]
) -> None:
    contents = [f"todo {number}" for number in range(20)]
    requests = [
        post("/v1/todos", "application/json", json.dumps({"content": content}).encode())
        for content in contents
    ]
    data = b"".join(one.replace(b"Connection: close\r\n", b"") for one in requests[:-1])
    async with by(http_server[0], shortcut=20):
        received = await send(api.port, data + requests[-1])
    assert re.findall(rb'"content":"([^"]+)"', received) == [one.encode() for one in contents]
    stored = (await api.call("GET", "/v1/todos?limit=100")).json()["items"]
    assert [todo["content"] for todo in stored] == contents[::-1]


@pytest.mark.parametrize("target", ["/todo", "/v1/todos"])
async def test_a_read_after_a_create_shows_it(api: Api, target: str) -> None:
    media_type, body = (
        (FORM, b"content=x") if target == "/todo" else ("application/json", b'{"content":"x"}')
    )
    for count in range(1, 6):
        assert re.match(rb"HTTP/1\.1 20[01] ", await exchange(api, post(target, media_type, body)))
        assert len((await api.call("GET", "/v1/todos")).json()["items"]) == count


# --- What is written down


@pytest.mark.parametrize(("target", "media_type", "body"), [CREATES["v0"], CREATES["v1"]])
async def test_both_roads_leave_the_same_access_line(
    api: Api,
    access_lines: Callable[[], list[dict[str, Any]]],
    target: str,
    media_type: str,
    body: bytes,
) -> None:
    lines = []
    for fields in ((), (ORDINARY,)):
        await exchange(api, post(target, media_type, body, "X-Request-Id: mine", *fields))
        (line,) = access_lines()
        assert line.pop("duration_ms") > 0
        del line["ts"]
        lines.append(line)
    assert lines[0] == lines[1]
    assert lines[0]["request_id"] == "mine"


async def test_both_roads_count_the_same(api: Api, metrics: Metrics) -> None:
    def counts() -> Counter[str]:
        pairs = (line.rpartition(" ") for line in metrics.render().decode().splitlines())
        names = re.compile("http_server_request_duration_seconds_count|todo_create_.*count")
        return Counter({name: int(float(count)) for name, _, count in pairs if names.match(name)})

    seen = []
    for fields in ((), (ORDINARY,)):
        before = counts()
        await exchange(api, post(*CREATES["v1"], *fields))
        seen.append(counts() - before)
    assert seen[0] == seen[1]
    assert seen[0].total() == 2


# --- What goes wrong


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StorageUnavailable("away"), 503, "storage-unavailable"),
        (StorageOverloaded("full"), 503, "overloaded"),
        (ZeroDivisionError("a fault"), 500, "internal-error"),
    ],
    ids=["unavailable", "overloaded", "fault"],
)
async def test_a_write_that_fails_is_told_the_same_on_both_roads_and_not_repeated(
    api: Api,
    http_server: tuple[Server, int],
    repository: MongoTodoRepository,
    monkeypatch: pytest.MonkeyPatch,
    expect_log: Callable[[str], None],
    metrics: Metrics,
    error: Exception,
    status: int,
    code: str,
) -> None:
    writes: list[Any] = []

    async def fail(todos: Any) -> Any:
        writes.append(todos)
        raise error

    monkeypatch.setattr(repository, "add_each", fail)
    if status == 500:
        expect_log("fault in /todo")
    answers = []
    for road, fields in ((1, ()), (0, (ORDINARY,))):
        async with by(http_server[0], shortcut=road):
            answers.append(await exchange(api, post(*CREATES["v0"], "X-Request-Id: mine", *fields)))
    assert answers[0] == answers[1]
    assert answers[0].startswith(b"HTTP/1.1 %d " % status)
    assert f"/problems/{code}".encode() in answers[0]
    assert len(writes) == 2
    faults = re.search(r"^todo_faults_total (\S+)$", metrics.render().decode(), re.MULTILINE)
    assert faults is not None
    assert float(faults[1]) == (2 if status == 500 else 0)


async def test_a_fault_after_a_todo_was_stored_is_logged_and_does_not_store_it_again(
    api: Api,
    http_server: tuple[Server, int],
    monkeypatch: pytest.MonkeyPatch,
    expect_log: Callable[[str], None],
) -> None:
    monkeypatch.delattr("handlers.create_shortcut.Answer")
    expect_log("fault in /todo")
    async with by(http_server[0], shortcut=1):
        answer = await exchange(api, post(*CREATES["v0"]))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert len((await api.call("GET", "/v1/todos")).json()["items"]) == 1
