"""Whatever is sent, the server answers by its contract or closes, and goes on serving."""

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from api import Api
from clock import Clock
from contract import check_answer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders
from tornado.ioloop import IOLoop

from app.resources import Resources

ANSWER_SECONDS = 5.0
"""A server silent for this long hangs; an answer takes milliseconds."""
CLOSED_BARE = b"HTTP/1.1 400 Bad Request\r\n\r\n"
"""Tornado's own answer to what is no HTTP."""
MAX_CHARACTERS = 4096

# The server, its database and the log last for all examples: the properties hold in any state,
# and an example that needs what an earlier one left behind is a find, not a flaw.
in_any_state = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@dataclass(frozen=True)
class Request:
    """A request that is well-formed as bytes; what it says may be nonsense."""

    method: str
    target: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    chunked: bool = False

    def encode(self) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: x", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        body = self.body
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
            chunks = [body[at : at + 1000] for at in range(0, len(body), 1000)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
            body += b"0\r\n\r\n"
        elif body or self.method in {"POST", "PUT", "PATCH"}:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Server:
    """Runs the loop that the server is on for as long as it takes to answer."""

    def __init__(self, io_loop: IOLoop, port: int, caplog: pytest.LogCaptureFixture) -> None:
        self._io_loop = io_loop
        self._port = port
        self._caplog = caplog

    def exchange(self, sent: bytes, *, end: bool) -> bytes:
        """Send bytes and return all that comes back until the server closes.

        Args:
            sent: everything the client says.
            end: whether it says so by closing its side.
        """
        self._caplog.clear()

        async def talk() -> bytes:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._talk(sent, end=end)

        received: bytes = self._io_loop.run_sync(talk)
        logged = [record for record in self._caplog.records if record.levelno >= logging.WARNING]
        assert not logged
        return received

    async def _talk(self, sent: bytes, *, end: bool) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        received = bytearray()
        try:
            writer.write(sent)
            if end:
                writer.write_eof()
            while chunk := await reader.read(65536):
                received += chunk
        except ConnectionError:
            pass  # A server that closes with bytes of ours unread resets the connection.
        finally:
            writer.transport.abort()
        return bytes(received)

    def call(self, request: Request) -> tuple[int, bytes]:
        """Send a request and return the status and body of its answer, checked."""
        received = self.exchange(request.encode(), end=False)
        if received == CLOSED_BARE:
            return 400, b""
        return read_answer(request.method, request.target, received)

    def json(self, method: str, target: str, document: Any = None) -> tuple[int, Any]:
        body = b"" if document is None else json.dumps(document).encode()
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        status, answer = self.call(Request(method, target, [("Content-Type", kind)], body))
        return status, json.loads(answer) if answer else None

    def assert_serves(self) -> None:
        assert self.call(Request("GET", "/livez"))[0] == 200


def read_answer(method: str, target: str, received: bytes) -> tuple[int, bytes]:
    head, separator, body = received.partition(b"\r\n\r\n")
    assert separator, received
    start_line, _, fields = head.decode("latin-1").partition("\r\n")
    if start_line.startswith("HTTP/1.1 100 "):
        return read_answer(method, target, body)
    version, status, _ = start_line.split(" ", 2)
    assert version == "HTTP/1.1"
    check_answer(method, target, int(status), HTTPHeaders.parse(fields), body)
    return int(status), body


@pytest.fixture
def server(io_loop: IOLoop, api: Api, caplog: pytest.LogCaptureFixture) -> Iterator[Server]:
    server = Server(io_loop, api.port, caplog)
    yield server
    server.assert_serves()


def add_todo(server: Server) -> str:
    _, todo = server.json("POST", "/v1/todos", {"content": "buy milk"})
    return str(todo["id"])


# What is sent. Structured first: valid requests with one or more parts gone wrong.

VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
LATIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"))
TOKENS = st.text(
    st.sampled_from(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    ),
    min_size=1,
    max_size=20,
)
HUGE = st.sampled_from(
    ["0", "-1", "1e400", "9" * 19, "9" * 5000, "-0", "1.5", "0x10", "NaN", "Infinity", "true", "²"]
)
KNOWN_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
METHODS = st.sampled_from([*KNOWN_METHODS, *KNOWN_METHODS, "TRACE", "CONNECT", "get"]) | TOKENS
ENCODED = st.sampled_from(
    ["%00", "%0a", "%2e%2e", "%2f", "%ff", "%C0%AF", "%ed%a0%80", "%F0%9F%92%A9", "%", "%zz", "%u1"]
)
SEGMENTS = st.lists(ENCODED | st.text(VISIBLE, max_size=8), max_size=4).map("".join)
KNOWN = ["/index", "/todo", "/v1/todos", "/livez", "/readyz", "/metrics", "/version"]
FIELDS = ["start", "limit", "cursor", "is_finished", "content", "$where", ""]
VALUES = st.sampled_from(["true", "10", "100", "[]", "null", "🙂"]) | HUGE | SEGMENTS

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.text(st.characters(categories=["Cs", "Cc"]), max_size=3)
    | st.sampled_from([10**400, -(10**30), "buy milk", "$is_finished", "x" * 4097]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["content", "is_finished", "rev", "$gt", "_id"]) | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)
ODD_JSON = st.sampled_from(
    [
        b'{"content": "a", "content": "b"}',
        b'{"content": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"content": {"$gt": ""}}',
        b'\xef\xbb\xbf{"content": "a"}',
        b'{"content": "\xff"}',
        b'{"content": NaN}',
        b'{"content": ' + b"9" * 5000 + b"}",
        b"[" * 20_000,
        b'{"a":' * 5000,
        b'{"content": "a"} x',
        b"\x00",
        b"x" * 70_000,
    ]
)
FORMS = st.lists(st.tuples(st.sampled_from(FIELDS), VALUES), max_size=4).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs).encode()
)
BODIES = (
    st.just(b"")
    | JSON.map(lambda document: json.dumps(document).encode())
    | st.just({"content": "buy milk", "is_finished": True}).map(lambda d: json.dumps(d).encode())
    | ODD_JSON
    | FORMS
    | st.binary(max_size=200)
)
HEADERS = st.one_of(
    st.tuples(
        st.just("Content-Type"),
        st.sampled_from(
            [
                *("application/json", "application/merge-patch+json", "text/plain", ""),
                *("application/x-www-form-urlencoded", "application/json; charset=utf-8"),
                *("application/json; charset=utf-16", "multipart/form-data; boundary=x"),
            ]
        )
        | LATIN,
    ),
    st.tuples(
        st.sampled_from(["If-Match", "If-None-Match"]),
        st.sampled_from(['"1"', 'W/"1"', "*", '"1", "2"', '"', ",", f'"{"9" * 400}"', '"é"'])
        | LATIN,
    ),
    st.tuples(
        st.sampled_from(
            [
                *("X-Request-Id", "Accept", "Accept-Encoding", "Authorization", "Cookie", "Origin"),
                *("Range", "Content-Encoding", "Expect", "X-HTTP-Method-Override", "Upgrade"),
                *("X-Forwarded-For", "X-Real-Ip", "X-Scheme", "If-Modified-Since", "traceparent"),
            ]
        ),
        LATIN | HUGE.filter(str.isascii) | st.just("100-continue") | st.just("a\tb"),
    ),
    # Those that decide where a request ends are for the test of raw bytes.
    st.tuples(
        TOKENS.filter(
            lambda name: name.lower() not in {"content-length", "transfer-encoding", "connection"}
        ),
        LATIN,
    ),
)


JSON_HEADERS = [("Content-Type", "application/json")]
FORM_HEADERS = [("Content-Type", "application/x-www-form-urlencoded")]
VALID = [
    *(Request("GET", path) for path in (*KNOWN, "/openapi.json", "/problems/not-found")),
    Request("POST", "/v1/todos", JSON_HEADERS, b'{"content": "buy milk"}'),
    Request("POST", "/todo", FORM_HEADERS, b"content=buy+milk"),
    Request("GET", "/v1/todos/{id}"),
    Request("PATCH", "/v1/todos/{id}", JSON_HEADERS, b'{"is_finished": true}'),
    Request("PUT", "/todo/{id}/finish"),
    Request("DELETE", "/v1/todos/{id}"),
    Request("DELETE", "/todo/{id}"),
]
PATHS = SEGMENTS.map("/{}".format) | st.sampled_from(
    ["/", "//", "/v1", "*", "/v1/todos/", "/todo/"]
)


@st.composite
def queries(draw: st.DrawFn) -> str:
    pairs = draw(st.lists(st.tuples(st.sampled_from(FIELDS), VALUES), min_size=1, max_size=3))
    written = "&".join(f"{name}={quote(value, safe='%$[]')}" for name, value in pairs)
    return "?" + draw(st.just(written) | SEGMENTS)


@st.composite
def requests(draw: st.DrawFn, todo_id: str) -> Request:
    """Draw a valid request of which any part may have been replaced."""
    valid = draw(st.sampled_from(VALID))

    def replaced(part: st.SearchStrategy[Any], valid_part: Any) -> Any:
        return draw(part) if draw(st.integers(0, 3)) == 0 else valid_part

    ids = st.sampled_from([todo_id.upper(), "0" * 24, "%20" + todo_id, "$gt", "a" * 3000])
    path = replaced(PATHS, valid.target).replace("{id}", replaced(ids | SEGMENTS, todo_id))
    more_headers = draw(st.lists(HEADERS, max_size=3))
    return Request(
        method=replaced(METHODS, valid.method),
        target=(path + replaced(queries(), "")).replace("#", "%23"),
        headers=[*more_headers, *replaced(st.just([]), valid.headers)],
        body=replaced(BODIES, valid.body),
        chunked=draw(st.sampled_from([False, False, True])),
    )


@settings(in_any_state, max_examples=600)
@given(data=st.data())
def test_every_request_is_answered_by_the_contract(server: Server, data: st.DataObject):
    request = data.draw(requests(add_todo(server)))
    status, _ = server.call(request)
    assert status != 500


@settings(in_any_state, max_examples=250)
@given(body=BODIES, chunked=st.booleans(), method=st.sampled_from(["POST", "PATCH"]))
def test_every_body_is_stored_or_told_what_is_wrong_with_it(
    server: Server, body: bytes, method: str, *, chunked: bool
):
    target = "/v1/todos" if method == "POST" else f"/v1/todos/{add_todo(server)}"
    status, _ = server.call(Request(method, target, JSON_HEADERS, body, chunked))
    assert status in {201 if method == "POST" else 200, 400, 413, 422}


PREFIXES = st.sampled_from(
    [
        b"",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n",
        b"POST /v1/todos HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n",
        b"POST /v1/todos HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /todo HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST /todo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /todo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /todo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\n",
        b"GET /v1/todos HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\n\tb\r\n",
        b"GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ]
)
LINES = st.lists(
    st.sampled_from([b"\r\n", b"\n", b"\r", b"\x00", b": ", b"Host: x", b"X: \xff", b"0\r\n\r\n"])
    | st.binary(max_size=30),
    max_size=8,
).map(b"".join)


@settings(in_any_state, max_examples=300)
@given(prefix=PREFIXES, rest=LINES)
def test_garbage_gets_an_answer_or_a_close_and_nobody_else_notices(
    server: Server, prefix: bytes, rest: bytes
):
    received = server.exchange(prefix + rest, end=True)
    assert received == b"" or received.startswith(b"HTTP/1.1 ")
    assert not received.startswith(b"HTTP/1.1 5")
    server.assert_serves()


@settings(in_any_state, max_examples=100)
@given(data=st.data())
def test_a_request_cut_off_anywhere_leaves_no_trace(server: Server, data: st.DataObject):
    sent = data.draw(requests(add_todo(server))).encode()
    cut = data.draw(st.integers(0, len(sent) - 1))
    server.exchange(sent[:cut], end=True)
    server.assert_serves()


# What is accepted comes back; what is not leaves nothing behind.

ALLOWED_CONTROLS = "\t\n\r"
CONTENTS = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(), min_size=1, max_size=40),
    st.text(st.characters(categories=["Cc", "Cs", "Cf", "Zs", "Mn", "So"]), max_size=6),
    st.builds(
        lambda character, count: character * count,
        st.sampled_from(["a", "é", "买", "𝄞", " ", "\n"]),
        st.integers(MAX_CHARACTERS - 2, MAX_CHARACTERS + 2),
    ),
    st.sampled_from(["$is_finished", "$$ROOT", '{"$gt": ""}', "\ufeff", "a&b=c;d", "%41", "+", ""]),
)


def is_allowed(content: str) -> bool:
    """Say by the words of the documentation whether this is content: 1 to 4096 of valid text."""
    return 1 <= len(content) <= MAX_CHARACTERS and not any(
        ("\ud800" <= character <= "\udfff")
        or (character not in ALLOWED_CONTROLS and (character < " " or "\x7f" <= character < "\xa0"))
        for character in content
    )


def newest(server: Server) -> list[Any]:
    """Return the newest todo's content in the lists of both versions."""
    _, page = server.json("GET", "/v1/todos?limit=1")
    _, article_page = server.json("GET", "/todo")
    return [items[0]["content"] for items in (page["items"], article_page["data"]) if items]


@settings(in_any_state, max_examples=100)
@given(content=CONTENTS)
def test_content_comes_back_unchanged_or_is_refused_without_a_trace(
    server: Server, resources: Resources, io_loop: IOLoop, clock: Clock, content: str
):
    clock.advance(1)
    before = io_loop.run_sync(lambda: resources.todos.count_documents({}))
    status, answer = server.json("POST", "/v1/todos", {"content": content})
    after = io_loop.run_sync(lambda: resources.todos.count_documents({}))
    assert status == (201 if is_allowed(content) else 422)
    assert after - before == (status == 201)
    if status == 201:
        assert server.json("GET", f"/v1/todos/{answer['id']}") == (200, answer)
        assert [answer["content"], *newest(server)] == [content] * 3


@settings(in_any_state, max_examples=60)
@given(content=CONTENTS)
def test_content_from_a_form_comes_back_unchanged_or_is_refused_without_a_trace(
    server: Server, resources: Resources, io_loop: IOLoop, clock: Clock, content: str
):
    clock.advance(1)
    form = urlencode({"content": content}, errors="surrogatepass").encode()
    before = io_loop.run_sync(lambda: resources.todos.count_documents({}))
    status, _ = server.call(Request("POST", "/todo", FORM_HEADERS, form))
    after = io_loop.run_sync(lambda: resources.todos.count_documents({}))
    assert status == (200 if is_allowed(content) else 400)
    assert after - before == (status == 200)
    if status == 200:
        assert newest(server) == [content] * 2


@settings(in_any_state, max_examples=60)
@given(content=CONTENTS, is_finished=st.none() | st.booleans())
def test_a_patch_changes_what_it_names_or_nothing(
    server: Server, clock: Clock, content: str, is_finished: bool | None
):
    clock.advance(1)
    target = f"/v1/todos/{add_todo(server)}"
    _, before = server.json("GET", target)
    changes: dict[str, Any] = {"content": content}
    if is_finished is not None:
        changes["is_finished"] = is_finished
    status, _ = server.json("PATCH", target, changes)
    _, after = server.json("GET", target)
    if not is_allowed(content):
        assert (status, after) == (422, before)
        return
    assert status == 200
    wanted = {**before, **changes}
    assert (after["content"], after["is_finished"]) == (wanted["content"], wanted["is_finished"])
    changed = any(before[name] != value for name, value in changes.items())
    assert after["rev"] == before["rev"] + changed
