"""What a well-formed head means: method, host, target, length, expectations, persistence."""

import sys

import pytest

from app.httpserver.framing import UNUSUAL, ReadyRequest, RequestHead, understand
from app.httpserver.head import RawHead
from app.httpserver.options import METHODS, Options
from app.httpserver.refusal import Refusal


def head(
    *fields: str,
    method: str = "GET",
    target: str = "/",
    version: str = "HTTP/1.1",
    host: str | None = "a",
) -> RequestHead:
    """Return what a head with these fields means."""
    pairs = [] if host is None else [("Host", host)]
    pairs += [
        (name, value.strip(" \t")) for name, _, value in (one.partition(":") for one in fields)
    ]
    raw = RawHead(method, target, version, tuple(pairs))
    return understand(raw, Options(), ("if-none-match", "cookie"))


def status(*fields: str, **changes: str | None) -> int:
    """Return the status that such a head is refused with."""
    with pytest.raises(Refusal) as refused:
        head(*fields, **changes)
    return int(refused.value.status)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_known_method_passes(method: str):
    assert head(method=method).start_line.method == method


@pytest.mark.parametrize("method", ["get", "PROPFIND", "GETX", "-bl"])
def test_an_unknown_method_is_not_implemented(method: str):
    assert status(method=method) == 501


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
def test_a_dangerous_method_is_not_allowed_and_told_what_is(method: str):
    with pytest.raises(Refusal) as refused:
        head(method=method, target="a:443")
    assert refused.value.status == 405
    assert refused.value.fields == (("Allow", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),)


def test_only_the_methods_of_the_options_pass():
    raw = RawHead("POST", "/", "HTTP/1.1", (("Host", "a"),))
    with pytest.raises(Refusal):
        understand(raw, Options(methods=frozenset({"GET"})), ())


@pytest.mark.parametrize(
    "host",
    [
        *("a", "a.b:80", "a:", "", "127.0.0.1:8000", "[::1]", "[::1]:80", "a_b", "xn--a-b", "A"),
        *("%41", "a:65535", "x" * 255, "[2001:db8::1]:1", "a;b=c", "a!$&'()*+", "~"),
    ],
)
def test_a_host_passes(host: str):
    assert head(host=host).start_line.method == "GET"


@pytest.mark.parametrize(
    "host",
    [
        *("a,b", "a/b", "a?b", "a@b", "a b", "a#b", "a\\b", "a:b", "a:1:2", "a:123456", "[a", "]"),
        *("[::1]a", "[g::]", "[]", "[:]", "::1", "\xe9", '"a"', "<a>", "a|b", "x" * 256, "[::1]:x"),
        *("[" + ":" * 46 + "]", "{a}", "a^b", "`a`", "a%", "%4", "[:::]", "[1]"),
    ],
)
def test_a_host_is_refused(host: str):
    assert status(host=host) == 400


def test_a_host_is_needed_in_http_1_1():
    assert status(host=None) == 400


def test_a_host_is_not_needed_in_http_1_0():
    assert head(host=None, version="HTTP/1.0").start_line.version == "HTTP/1.0"


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_two_hosts_are_refused(version: str):
    assert status("hOST: a", version=version) == 400


@pytest.mark.parametrize("target", ["/", "/a?b", "//a", "/@a", "/a:b", "/%00", "/?", "/a?/b?c"])
def test_a_path_is_taken_as_it_is(target: str):
    assert head(target=target).start_line.path == target


@pytest.mark.parametrize(
    ("target", "path"),
    [
        *(("http://a/b?c", "/b?c"), ("https://a/", "/"), ("HTTP://A/", "/"), ("http://a", "/")),
        ("http://a?b", "/?b"),
    ],
)
def test_an_absolute_target_is_reduced_to_its_path(target: str, path: str):
    assert head(target=target).start_line.path == path


@pytest.mark.parametrize(
    "target",
    [
        *("a", "*", "a:443", "?a", "http://b/", "http://", "http:///", "http:/a", "ftp://a/", "!"),
        *("/#", "/a#b", "http://a/#", "http://a#b", "http://x@a/", "http://a:81/", "xhttp://a/"),
        *("http://a\\b/", "http:a", "https://a:80/", "http://a:443/", "http://:80/"),
    ],
)
def test_a_target_is_refused(target: str):
    assert status(target=target) == 400


def test_an_absolute_target_without_a_host_is_refused():
    assert status(target="http:///", host="") == 400
    assert status(target="http://a/", host=None) == 400


def test_an_asterisk_is_for_options():
    assert head(target="*", method="OPTIONS").start_line.path == "*"
    assert status(target="a", method="OPTIONS") == 400


@pytest.mark.parametrize(
    ("length", "size"),
    [("0", 0), ("5", 5), ("005", 5), ("000", 0), ("9" * 18, 10**18 - 1), ("0" * 99 + "7", 7)],
)
def test_a_length_is_read(length: str, size: int):
    assert head(f"Content-Length: {length}").content_length == size


@pytest.mark.parametrize("digits", [19, 25, 4300, 8000])
def test_a_length_without_measure_is_larger_than_any_limit(digits: int):
    assert head(f"Content-Length: {'9' * digits}").content_length == sys.maxsize


@pytest.mark.parametrize(
    "length",
    [
        *("+5", "-5", "5_0", "0x5", "5.0", "1e3", "", "a", "5,5", "5, 5", "5 5", "5;", '"5"'),
        *("\xb2", "\u0665", "\uff15", "\xa05", "5\x85"),
    ],
)
def test_a_length_is_refused(length: str):
    assert status(f"Content-Length: {length}") == 400


@pytest.mark.parametrize("other", ["Content-Length: 5", "content-length: 6"])
def test_two_lengths_are_refused(other: str):
    assert status("Content-Length: 5", other) == 400


@pytest.mark.parametrize(
    "field",
    ["Transfer-Encoding: chunked", "transfer-encoding:CHUNKED", "TRANSFER-ENCODING: Chunked"],
)
def test_a_chunked_body_is_known(field: str):
    found = head(field)
    assert (found.is_chunked, found.content_length, found.has_body) == (True, 0, True)


def test_a_head_without_a_length_has_no_body():
    found = head()
    assert (found.is_chunked, found.content_length, found.has_body) == (False, 0, False)


def test_a_length_above_zero_is_a_body():
    assert head("Content-Length: 1").has_body
    assert not head("Content-Length: 0").has_body


@pytest.mark.parametrize("coding", ["chunked", "", "identity", "gzip"])
def test_a_coding_beside_a_length_is_refused(coding: str):
    assert status(f"Transfer-Encoding: {coding}", "Content-Length: 5") == 400
    assert status("Content-Length: 5", f"Transfer-Encoding: {coding}") == 400


@pytest.mark.parametrize("second", ["chunked", "identity", ""])
def test_two_codings_are_refused(second: str):
    assert status("Transfer-Encoding: chunked", f"transfer-encoding: {second}") == 400


def test_a_coding_in_http_1_0_is_refused():
    assert status("Transfer-Encoding: chunked", version="HTTP/1.0") == 400


@pytest.mark.parametrize(
    "coding", ["gzip", "gzip, chunked", "xchunked", "chunked, chunked", "identity", "chunked;q=1"]
)
def test_another_coding_is_not_implemented(coding: str):
    assert status(f"Transfer-Encoding: {coding}") == 501


@pytest.mark.parametrize("coding", ["", "\xa0chunked", "chunked\x85", "\xffchunked", "\xe9"])
def test_a_malformed_coding_is_refused(coding: str):
    assert status(f"Transfer-Encoding: {coding}") == 400


def test_underscores_make_no_length():
    assert not head("Content_Length: 5", "Transfer_Encoding: chunked").has_body


@pytest.mark.parametrize("value", ["100-continue", "100-Continue"])
def test_a_continue_is_expected(value: str):
    assert head(f"Expect: {value}").expects_continue


def test_nothing_is_expected_without_an_expectation():
    assert not head().expects_continue


@pytest.mark.parametrize("value", ["x", "", "100-continue, x", "y 100-continue", "100-continue;a"])
def test_another_expectation_fails(value: str):
    assert status(f"Expect: {value}") == 417


def test_two_expectations_fail():
    assert status("Expect: 100-continue", "Expect: 100-continue") == 417


@pytest.mark.parametrize("value", ["100-continue", "x"])
def test_an_expectation_in_http_1_0_is_ignored(value: str):
    assert not head(f"Expect: {value}", version="HTTP/1.0").expects_continue


@pytest.mark.parametrize(
    ("version", "connection", "keeps"),
    [
        *(("HTTP/1.1", None, True), ("HTTP/1.0", None, False)),
        *(("HTTP/1.1", "close", False), ("HTTP/1.1", "CLOSE", False), ("HTTP/1.1", "x", True)),
        *(("HTTP/1.1", "close, x", False), ("HTTP/1.1", "x ,\tclose", False)),
        *(("HTTP/1.1", "keep-alive, close", False), ("HTTP/1.1", "closed", True)),
        *(("HTTP/1.0", "keep-alive", True), ("HTTP/1.0", "Keep-Alive, x", True)),
        *(("HTTP/1.0", "keep-alive, close", False), ("HTTP/1.0", "close", False)),
    ],
)
def test_a_connection_is_kept(version: str, connection: str | None, keeps: bool):
    fields = () if connection is None else (f"Connection: {connection}",)
    assert head(*fields, version=version).keep_alive is keeps


def test_all_connection_fields_count():
    assert not head("Connection: x", "connection: close").keep_alive


def test_repeated_fields_are_known():
    assert head("X: a", "x: b").has_repeated_fields
    assert not head("X: a", "Y: a").has_repeated_fields


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_plain_request_may_be_answered_readily(method: str):
    found = head("Cookie: a", "If-None-Match: b", "cookie: c", method=method, target="/a?b")
    assert found.ready_request == ReadyRequest(method, "/a?b", ("b", "a, c"))


def test_a_missing_field_is_none_to_the_ready_function():
    assert head().ready_request == ReadyRequest("GET", "/", (None, None))


def test_an_absolute_target_is_a_path_to_the_ready_function():
    assert head(target="http://a/b").ready_request == ReadyRequest("GET", "/b", (None, None))


@pytest.mark.parametrize("method", sorted(METHODS - {"GET", "HEAD"}))
def test_another_method_takes_the_ordinary_road(method: str):
    assert head(method=method).ready_request is None


def test_http_1_0_takes_the_ordinary_road():
    assert head(version="HTTP/1.0").ready_request is None


VALUES = {"content-length": "5", "transfer-encoding": "chunked", "expect": "100-continue"}


@pytest.mark.parametrize("name", sorted(UNUSUAL))
def test_an_unusual_field_takes_the_ordinary_road(name: str):
    assert head(f"{name.title()}: {VALUES.get(name, 'a')}").ready_request is None


def test_the_fields_that_change_a_request_are_unusual():
    assert {"content-length", "transfer-encoding", "expect", "upgrade", "range"} <= UNUSUAL
