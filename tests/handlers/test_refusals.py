"""What the HTTP server refuses is answered in the API's words; what it takes arrives whole."""

import json

import pytest
from http_client import Client, request

from app.log import MAX_VALUE_CHARACTERS

pytestmark = pytest.mark.gen_test

UNKNOWN_ID = "0123456789abcdef01234567"


def chunked(*chunks):
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def padded(length):
    return json.dumps({"content": "a"}).encode().ljust(length)


HEAD = b"POST /v1/todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


async def test_a_body_at_the_limit_is_read(api, settings):
    body = padded(settings.max_body_bytes)
    answer = await api.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert answer.status == 201


@pytest.mark.parametrize("zeros", [1, 8, 4000])
async def test_a_length_with_leading_zeros_is_what_it_says(api, zeros):
    body = padded(20)
    answer = await api.send(HEAD + b"Content-Length: %b20\r\n\r\n%b" % (b"0" * zeros, body))
    assert answer.status == 201


async def test_a_length_with_more_digits_than_python_reads_is_too_large_and_no_fault(api):
    assert (await api.send(HEAD + b"Content-Length: %b\r\n\r\n" % (b"9" * 5000))).status == 413


async def test_a_body_at_the_limit_without_a_declared_length_is_read(api, settings):
    body = padded(settings.max_body_bytes)
    pieces = chunked(body[:1], body[1:1000], body[1000:])
    answer = await api.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + pieces)
    assert answer.status == 201


@pytest.mark.parametrize("excess", [1, 10**9, 10**18, 10**30])
@pytest.mark.parametrize(
    "target", ["/v1/todos", "/todo", f"/v1/todos/{UNKNOWN_ID}", "/livez", "/metrics"]
)
async def test_a_body_declared_above_the_limit_is_413_before_it_is_sent(
    api, settings, target, excess
):
    method = "PATCH" if target.endswith(UNKNOWN_ID) else "POST" if "todo" in target else "GET"
    length = settings.max_body_bytes + excess
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
    answer = await api.send(head.encode())
    assert (answer.status, answer.headers["Connection"]) == (413, "close")


@pytest.mark.parametrize("end", [True, False], ids=["whole", "without an end"])
async def test_a_body_that_turns_out_above_the_limit_is_413_and_stores_nothing(api, settings, end):
    body = padded(settings.max_body_bytes + 1)
    pieces = chunked(body[:1000], body[1000:])
    pieces = pieces if end else pieces.removesuffix(chunked())
    answer = await api.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + pieces)
    assert (answer.status, answer.headers["Connection"]) == (413, "close")
    assert (await api.call("GET", "/v1/todos")).json()["items"] == []


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
async def test_a_method_that_is_for_proxies_is_405_everywhere(api, method):
    for target in ("/todo", "/nowhere"):
        answer = await api.send(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert answer.status == 405


ASKED = b"POST /v1/todos HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: mine\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (ASKED + b"Content-Length: 9999999\r\n\r\n", 413),
        (ASKED + b"Expect: more\r\n\r\n", 417),
        (ASKED + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (ASKED + b"X : a\r\n\r\n", 400),
        (ASKED + b"Transfer-Encoding: chunked\r\n\r\nXX\r\n", 400),
        (ASKED + b"Content-Length: x\r\n\r\n", 400),
        (ASKED.replace(b"POST", b"TRACE") + b"\r\n", 405),
        (ASKED.replace(b"POST", b"BREW") + b"\r\n", 501),
        (ASKED.replace(b"1.1", b"9.9") + b"\r\n", 505),
        (ASKED.replace(b"POST ", b"POST  ") + b"\r\n", 400),
        (ASKED.replace(b"Host", b"Host ") + b"\r\n", 400),
        (ASKED.replace(b"Host", b"X: \x00\r\nHost") + b"\r\n", 400),
        (ASKED.replace(b"localhost\r\n", b"localhost\n") + b"\r\n", 400),
        (ASKED.replace(b"Host", b"X: %b\r\nHost" % (b"a" * 9000)) + b"\r\n", 431),
        (ASKED.replace(b"/v1", b"/" + b"a" * 9000) + b"\r\n", 414),
    ],
)
async def test_a_refused_request_keeps_its_id(api, access_lines, sent, status):
    answer = await api.send(sent)
    assert (answer.status, answer.headers["X-Request-Id"]) == (status, "mine")
    (line,) = access_lines()
    assert line["request_id"] == "mine"


async def test_what_stands_behind_a_refused_head_is_not_its_id(api):
    head = b"BREW / HTTP/9.9\r\nHost: localhost\r\n\r\n"
    answer = await api.send(head + ASKED + b"\r\n")
    assert (answer.status, answer.headers["X-Request-Id"] == "mine") == (505, False)


@pytest.mark.parametrize("sent", [b"a b", b"a" * 129, b"mine\r\nX-Request-Id: yours"])
async def test_a_refused_request_with_an_unfit_id_gets_one_of_ours(api, sent):
    head = b"BREW / HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: %b\r\n\r\n"
    answer = await api.send(head % sent)
    assert answer.status == 501
    assert answer.headers["X-Request-Id"] not in ("a b", "a" * 129, "mine", "yours", "mine,yours")


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("/v1/todos", "GET, POST, HEAD, OPTIONS"),
        (f"/v1/todos/{UNKNOWN_ID}?a", "DELETE, GET, PATCH, HEAD, OPTIONS"),
        ("http://localhost/livez", "GET, HEAD, OPTIONS"),
        ("http://localhost", "GET, HEAD, OPTIONS"),
        ("http://localhost?a", "GET, HEAD, OPTIONS"),
        (f"/todo/{UNKNOWN_ID}/finish", "PUT, OPTIONS"),
    ],
)
async def test_a_method_that_is_for_proxies_is_told_those_of_the_address(
    api, method, target, allowed
):
    sent = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert (await api.send(sent.encode())).headers["Allow"] == allowed


async def test_the_line_of_a_refused_request_is_no_longer_than_any(api, access_lines):
    await api.send(b"M" * 3000 + b" /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    (line,) = access_lines()
    assert line["http.request.method"] == "M" * MAX_VALUE_CHARACTERS + "…"
    assert line["url.path"] == f"/{'a' * 3000}"[:MAX_VALUE_CHARACTERS] + "…"


WAITING = b"Content-Length: 2\r\nExpect: 100-continue\r\n"


@pytest.mark.parametrize(
    ("asked", "fields", "status"),
    [
        (b"PUT /v1/todos", b"Content-Type: application/json\r\n", 405),
        (b"POST /livez", b"", 405),
        (b"POST /nope", b"", 404),
        (b"POST /v1/todos", b"Content-Type: text/plain\r\n", 415),
        (b"POST /v1/todos", b"", 415),
        (b"POST /todo", b"Content-Encoding: gzip\r\n", 415),
        (b"POST /todo", b"Content-Type: application/json\r\n", 415),
        (b"POST /v1/todos", b"Content-Type: application/json\r\nContent-Encoding: br\r\n", 415),
        (f"PATCH /v1/todos/{UNKNOWN_ID}".encode(), b"Content-Type: a/b\r\n", 415),
    ],
)
async def test_who_waits_for_100_is_told_at_once_what_is_wrong_with_the_head(
    api, asked, fields, status
):
    head = b"%b HTTP/1.1\r\nHost: localhost\r\n%b%b\r\n" % (asked, fields, WAITING)
    answer = await api.send(head)
    assert (answer.status, answer.headers["Connection"]) == (status, "close")


async def test_who_waits_for_100_with_a_good_head_gets_it(http_server):
    head = b"POST /v1/todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    async with await Client.connect(http_server[1]) as client:
        client.send(head + WAITING + b"\r\n")
        assert await client.receive_exactly(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"{}")
        assert (await client.receive(method="POST")).status == 422


async def test_a_refused_request_has_one_line_in_the_access_log(api, access_lines):
    answer = await api.send(b"GET /livez?secret=1 HTTP/1.1\r\n\r\n")
    (line,) = access_lines()
    del line["ts"]
    assert line == {
        "level": "info",
        "logger": "access",
        "event": "request",
        "http.request.method": "GET",
        "http.route": "refused",
        "url.path": "/livez",
        "http.response.status_code": 400,
        "client.address": "127.0.0.1",
        "request_id": answer.headers["X-Request-Id"],
    }


REFUSED = {
    "no host": (b"GET / HTTP/1.1\r\n\r\n", "malformed-request"),
    "a bare line feed": (b"GET / HTTP/1.1\nHost: localhost\n\n", "malformed-request"),
    "too many parameters": (
        b"GET /v1/todos?" + b"a&" * 1001 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "malformed-request",
    ),
    "a long line": (
        b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "uri-too-long",
    ),
    "an expectation": (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: more\r\n\r\n",
        "expectation-failed",
    ),
    "a long field": (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"a" * 8192 + b"\r\n\r\n",
        "header-fields-too-large",
    ),
    "a method": (b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", "not-implemented"),
    "a coding": (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        "not-implemented",
    ),
    "a version": (b"PRI * HTTP/2.0\r\n\r\n", "http-version-not-supported"),
}


@pytest.mark.parametrize(("request_bytes", "code"), REFUSED.values(), ids=REFUSED)
async def test_what_is_refused_is_told_why_in_a_problem(api, request_bytes, code):
    answer = await api.send(request_bytes)
    assert answer.json()["type"] == f"/problems/{code}"
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("head", "limit"),
    [
        ("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "max_request_line_bytes"),
        ("GET / HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", "max_header_field_bytes"),
        (
            "POST /todo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n",
            "max_body_bytes",
        ),
    ],
)
async def test_what_is_too_large_is_told_the_limit(api, settings, head, limit):
    answer = await api.send(head.format("a" * 9000).encode())
    assert f" {getattr(settings, limit)} bytes" in answer.json()["detail"]


async def test_refused_requests_are_counted_by_status(api):
    await api.send(b"GET / HTTP/1.1\r\n\r\n")
    metrics = (await api.call("GET", "/metrics")).body
    counted = b'http_server_refused_requests_total{http_response_status_code="400"} 1.0\n'
    assert counted in metrics


async def test_an_address_behind_a_proxy_that_is_not_trusted_is_not_believed(api, access_lines):
    await api.call("GET", "/livez", headers={"X-Forwarded-For": "1.2.3.4"})
    (line,) = access_lines()
    assert line["client.address"] == "127.0.0.1"


BODY = b"Content-Length: 2\r\n\r\n{}"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


@pytest.mark.parametrize("framed", [BODY, CHUNKS, b"Expect: 100-continue\r\n" + BODY])
@pytest.mark.parametrize("target", [b"/nope", b"/livez", b"/v1/todos", b"/todo"])
@pytest.mark.parametrize("method", [b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"])
async def test_a_request_behind_one_that_is_answered_with_an_error_is_answered(
    http_server, method, target, framed
):
    _, port = http_server
    refused = b"%b %b HTTP/1.1\r\nHost: localhost\r\n%b" % (method, target, framed)
    async with await Client.connect(port) as client:
        client.send(refused + request("/livez"))
        answer = await client.receive()
        assert answer.closes == (target == b"/nope" and framed == CHUNKS)
        if not answer.closes:
            assert (await client.receive()).status == 200
