"""What Hypothesis sends: valid requests with one or more parts gone wrong."""

import json
from typing import Any
from urllib.parse import quote

from exchange import FORM_HEADERS, JSON_HEADERS, Request
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# The server, its database and the log last for all examples: the properties hold in any state,
# and an example that needs what an earlier one left behind is a find, not a flaw.
in_any_state = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

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
KNOWN = ["/", "/index", "/todo", "/v1/todos", "/livez", "/readyz", "/metrics", "/version"]
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
        b'{"content": 1e400, "id": 1, "x": "\\ud800"}',
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
MULTIPART = st.lists(
    st.tuples(st.sampled_from(["content", "", "a", 'content"; x="']), VALUES), max_size=4
).map(
    lambda parts: (
        b"".join(
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in parts
        )
        + b"--x--\r\n"
    )
)
BODIES = (
    st.just(b"")
    | MULTIPART
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


VALID = [
    *(Request("GET", path) for path in (*KNOWN, "/openapi.json", "/problems/not-found")),
    Request("POST", "/v1/todos", JSON_HEADERS, b'{"content": "buy milk"}'),
    Request("POST", "/todo", FORM_HEADERS, b"content=buy+milk"),
    Request(
        "POST",
        "/todo",
        [("Content-Type", "multipart/form-data; boundary=x")],
        b'--x\r\nContent-Disposition: form-data; name="content"\r\n\r\na\r\n--x--\r\n',
    ),
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
