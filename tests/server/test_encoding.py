"""Heads and chunks of responses as bytes; nobody's data may split them."""

import pytest

from app.httpserver.encoding import allows_body, encode_chunk, encode_date, encode_head


def test_a_head_is_a_status_line_and_fields():
    assert encode_head(200, "OK", [("A", "b"), ("C", "")]) == b"HTTP/1.1 200 OK\r\nA: b\r\nC: \r\n"


def test_a_head_may_have_no_fields_and_no_reason():
    assert encode_head(299, "", []) == b"HTTP/1.1 299 \r\n"


def test_a_head_is_latin_1():
    assert encode_head(200, "OK", [("A", "\xe9")]) == b"HTTP/1.1 200 OK\r\nA: \xe9\r\n"


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n", "\n\r"])
@pytest.mark.parametrize("place", ["reason", "name", "value"])
def test_a_head_holds_no_line_end(end: str, place: str):
    text = f"x{end}X-Smuggled: yes"
    words = {"reason": "OK", "name": "A", "value": "b", place: text}
    with pytest.raises(ValueError, match="CR or LF"):
        encode_head(200, words["reason"], [(words["name"], words["value"])])


@pytest.mark.parametrize("text", ["\u4e2d", "\u2028", "\U0001f600", "\u010a"])
def test_a_head_holds_nothing_outside_of_latin_1(text: str):
    with pytest.raises(ValueError, match="latin-1"):
        encode_head(200, "OK", [("A", text)])


@pytest.mark.parametrize(
    ("data", "chunk"), [(b"a", b"1\r\na\r\n"), (b"a" * 26, b"1a\r\n" + b"a" * 26 + b"\r\n")]
)
def test_a_chunk_begins_with_its_size(data: bytes, chunk: bytes):
    assert encode_chunk(data) == chunk


def test_a_date_is_in_gmt():
    assert encode_date(784_111_777.9) == b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"


@pytest.mark.parametrize("status", [100, 101, 199, 204, 304])
def test_a_status_allows_no_body(status: int):
    assert not allows_body("GET", status)


@pytest.mark.parametrize("status", [200, 201, 205, 206, 303, 404, 500])
def test_a_status_allows_a_body_but_not_to_head(status: int):
    assert allows_body("GET", status)
    assert not allows_body("HEAD", status)
