"""The reader of heads: what it takes, what it refuses, and at which byte."""

import string
from collections.abc import Iterator

import bad_heads
import pytest

from app.httpserver.head import HeadReader, RawHead, read_trailer, read_whole
from app.httpserver.options import Options
from app.httpserver.refusal import Refusal

TOKEN = b"!#$%&'*+-.^_`|~" + (string.ascii_letters + string.digits).encode()
LINE = b"GET / HTTP/1.1\r\n"
SMALL = Options(max_request_line_bytes=20, max_field_bytes=10, max_fields=3, max_fields_bytes=24)

Result = tuple[RawHead, int] | int | None


def read(data: bytes, options: Options = SMALL) -> Result:
    """Return what one read gives: a head and its length, None, or the status of a refusal."""
    try:
        return HeadReader(options).read(bytearray(data))
    except Refusal as refusal:
        return int(refusal.status)


def read_in_parts(data: bytes, sizes: Iterator[int], options: Options) -> Result:
    reader, buffer = HeadReader(options), bytearray()
    found: tuple[RawHead, int] | None = None
    for size in sizes:
        buffer += data[len(buffer) : len(buffer) + size]
        try:
            found = reader.read(buffer)
        except Refusal as refusal:
            return int(refusal.status)
        if found is not None or len(buffer) >= len(data):
            break
    return found


def results(data: bytes, options: Options = SMALL) -> list[Result]:
    """Return what comes of data in one piece, in each two pieces, and byte by byte."""
    size = len(data)
    ways = [[size], *([at, size - at] for at in range(1, size)), [1] * size]
    return [read_in_parts(data, iter(way), options) for way in ways]


def test_a_head_is_read_as_it_was_sent():
    data = b"POST /a?b HTTP/1.0\r\nHost: a\r\nX:1\r\nhost: A\r\n\r\nrest"
    head = RawHead("POST", "/a?b", "HTTP/1.0", (("Host", "a"), ("X", "1"), ("host", "A")))
    assert read(data) == (head, len(data) - len(b"rest"))


def test_nothing_is_a_part_of_a_head():
    assert read(b"") is None


def test_a_head_needs_no_fields():
    assert read(LINE + b"\r\n") == (RawHead("GET", "/", "HTTP/1.1", ()), len(LINE) + 2)


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        (b"X: \ta \t\r\n", "a"),
        (b"X:\r\n", ""),
        (b"X: \t \r\n", ""),
        (b"X: a b\r\n", "a b"),
        (b"X: a\tb\r\n", "a\tb"),
        (b"X:\xa0a\x85\r\n", "\xa0a\x85"),
        (b"X: :\r\n", ":"),
        (b"X: \xff\x80\r\n", "\xff\x80"),
    ],
)
def test_only_blanks_are_taken_off_a_value(sent: bytes, value: str):
    found = read(LINE + sent + b"\r\n")
    assert isinstance(found, tuple)
    assert found[0].fields == (("X", value),)


@pytest.mark.parametrize("character", TOKEN.decode())
def test_a_name_and_a_method_may_hold_any_character_of_a_token(character: str):
    head = RawHead(character, "/", "HTTP/1.1", ((character, "a"),))
    data = f"{character} / HTTP/1.1\r\n{character}: a\r\n\r\n".encode()
    assert read(data) == (head, len(data))


@pytest.mark.parametrize("code", sorted({*range(256)} - {*TOKEN, ord(":")}))
def test_a_name_and_a_method_may_hold_nothing_else(code: int):
    character = bytes([code])
    assert read(character + b"X / HTTP/1.1\r\n\r\n") == 400
    assert read(LINE + b"X" + character + b"Y: a\r\n\r\n") == 400


def test_a_method_may_not_hold_a_colon():
    assert read(b"G:T / HTTP/1.1\r\n\r\n") == 400


@pytest.mark.parametrize("code", [*range(9), 11, 12, *range(14, 32), 127])
@pytest.mark.parametrize("before", [b"GET /", b"G", LINE + b"X: a", LINE + b"X", LINE])
def test_a_control_character_is_refused_at_once(code: int, before: bytes):
    assert read(before) is None
    assert read(before + bytes([code])) == 400


@pytest.mark.parametrize("before", [b"GET /", LINE + b"X: a", LINE + b"X", LINE])
def test_a_cr_is_judged_by_the_byte_that_follows_it(before: bytes):
    assert read(before + b"\r") is None
    assert read(before + b"\rX") == 400
    assert read(before + b"\r\r") == 400


@pytest.mark.parametrize(
    "line",
    [
        *(b"GET /\r\n", b"GET  / HTTP/1.1\r\n", b"GET / HTTP/1.1 \r\n", b"GET\t/ HTTP/1.1\r\n"),
        *(b"GET / HTTP/1.1\n", b"GET / HTTP/1\r\n", b"GET / HTTP/1.\r\n", b"GET / HTTP/.1\r\n"),
        *(b"GET / http/1.1\r\n", b"GET / HTTP/1.10\r\n", b"GET / HTTP/11.1\r\n", b"\n", b"a\r\n"),
        *(
            b"GET /\xff HTTP/1.1\r\n",
            b"GET / FTTP/1.1\r\n",
            b" / HTTP/1.1\r\n",
            b"GET  HTTP/1.1\r\n",
        ),
        *(b"GET / HTTP/1,1\r\n", b"GET / HTTP/1.1\r\r\n", b"\r\n\r\n", b"\r\n\n", b"\r\r\n"),
    ],
)
def test_a_request_line_is_refused(line: bytes):
    assert set(results(line)) == {400}


@pytest.mark.parametrize("version", ["0.9", "2.0", "2.1", "0.0", "9.9", "3.0", "0.1"])
def test_another_version_is_not_supported(version: str):
    assert set(results(f"GET / HTTP/{version}\r\n".encode())) == {505}


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.9"])
def test_a_higher_minor_version_is_processed_as_1_1(version: str):
    sent = f"GET / HTTP/{version}\r\n\r\n".encode()
    assert set(results(sent)) == {(RawHead("GET", "/", "HTTP/1.1", ()), len(sent))}


def test_one_empty_line_before_a_request_is_ignored():
    found = RawHead("GET", "/", "HTTP/1.1", ())
    assert set(results(b"\r\n" + LINE + b"\r\n")) == {(found, len(LINE) + 4)}


@pytest.mark.parametrize(
    "line",
    [
        *(b"X : a\r\n", b": a\r\n", b":\r\n", b"X\r\n", b" X: a\r\n", b"\tX: a\r\n", b"X a\r\n"),
        *(b"X: a\n", b"\n", b"\r\r\n", b"X\t: a\r\n", b" \r\n", b"X: a\r\r\n", b"X\xe9: a\r\n"),
    ],
)
def test_a_field_line_is_refused(line: bytes):
    assert set(results(LINE + line)) == {400}
    assert set(results(LINE + b"A: b\r\n" + line)) == {400}


def test_the_longest_request_line_passes():
    line = b"GET /23456 HTTP/1.1\r\n".replace(b"6 ", b"67 ")
    assert len(line) == SMALL.max_request_line_bytes + 2
    found = RawHead("GET", "/234567", "HTTP/1.1", ())
    assert set(results(line + b"\r\n")) == {(found, len(line) + 2)}


@pytest.mark.parametrize("line", [b"GET /2345678 HTTP/1.1\r\n", b"a" * 21, b"GET /" + b"a" * 90])
def test_a_longer_request_line_is_too_long(line: bytes):
    assert set(results(line)) == {414}


def test_a_request_line_is_too_long_at_the_byte_above_its_limit():
    assert read(b"a" * 20) is None
    assert read(b"a" * 20 + b"\r") is None
    assert read(b"a" * 21) == 414


@pytest.mark.parametrize(("before", "status"), [(20, 400), (21, 414), (30, 414)])
def test_the_first_error_of_a_line_counts(before: int, status: int):
    assert set(results(b"a" * before + b"\x00" + b"a" * 30 + b"\r\n")) == {status}


def test_the_longest_field_passes():
    field = b"X: 4567890\r\n"
    assert len(field) == SMALL.max_field_bytes + 2
    found = RawHead("GET", "/", "HTTP/1.1", (("X", "4567890"),))
    assert set(results(LINE + field + b"\r\n")) == {(found, len(LINE + field) + 2)}


@pytest.mark.parametrize("field", [b"X: 45678901\r\n", b"X" * 11, b"X: " + b" " * 90, b"X" * 90])
def test_a_longer_field_is_too_long(field: bytes):
    assert set(results(LINE + field)) == {431}


def test_the_most_fields_pass():
    found = RawHead("GET", "/", "HTTP/1.1", (("X", ""),) * 3)
    assert set(results(LINE + b"X:\r\n" * 3 + b"\r\n")) == {(found, len(LINE) + 14)}


def test_one_more_field_is_too_many():
    assert set(results(LINE + b"X:\r\n" * 4 + b"\r\n")) == {431}


@pytest.mark.parametrize("last", [b"Z:\r\n", b""])
def test_the_largest_section_of_fields_passes(last: bytes):
    fields = b"X: 456789\r\nY:34567\r\n" + last
    assert len(fields) <= SMALL.max_fields_bytes
    assert {type(result) for result in results(LINE + fields + b"\r\n")} == {tuple}


@pytest.mark.parametrize("last", [b"Z:6\r\n", b"Z:67890\r\n", b"Z" * 5])
def test_a_larger_section_of_fields_is_too_large(last: bytes):
    assert set(results(LINE + b"X: 456789\r\nY:34567\r\n" + last)) == {431}


def test_an_empty_line_does_not_count_for_the_limit_of_the_fields():
    options = Options(max_fields_bytes=12)
    assert {type(result) for result in results(LINE + b"X: 4567890\r\n\r\n", options)} == {tuple}


def test_the_defaults_are_the_limits_of_the_table():
    options = Options()
    assert (options.max_request_line_bytes, options.max_field_bytes) == (8192, 8192)
    assert (options.max_fields, options.max_fields_bytes) == (100, 16384)


WHOLE = [row.data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" for row in bad_heads.ROWS]


def read_in_one(head: bytes, options: Options) -> RawHead | int | None:
    try:
        return read_whole(head, options)
    except Refusal as refusal:
        return int(refusal.status)


@pytest.mark.parametrize("options", [SMALL, Options()], ids=["small limits", "defaults"])
@pytest.mark.parametrize("data", [*WHOLE, LINE + b"X:\t\ta \t\r\nY: \x85\r\n\r\n"])
def test_a_whole_head_is_the_same_to_both_readers(data: bytes, options: Options):
    found = read_in_one(data, options)
    assert found is None or read(data, options) in (found, (found, len(data)))


def test_an_ordinary_head_is_read_in_one():
    data = LINE + b"Host: a\r\nX:\t\r\n\r\n"
    assert read_in_one(data, Options()) == RawHead(
        *("GET", "/", "HTTP/1.1", (("Host", "a"), ("X", ""))),
    )


@pytest.mark.parametrize(
    ("options", "fits"),
    [
        *((Options(max_fields=2), True), (Options(max_fields=1), False)),
        *((Options(max_fields_bytes=10), True), (Options(max_fields_bytes=7), False)),
        *((Options(max_field_bytes=28), True), (Options(max_field_bytes=27), False)),
        *((Options(max_request_line_bytes=28), True), (Options(max_request_line_bytes=27), False)),
    ],
)
def test_a_head_above_a_limit_is_not_read_in_one(options: Options, fits: bool):
    data = LINE + b"A: b\r\nC:\r\n\r\n"
    assert len(data) == 28
    assert (read_in_one(data, options) is not None) is fits


class CountingBuffer(bytearray):
    """A buffer that counts the bytes it was searched for."""

    searched = 0

    def find(self, what: bytes, start: int = 0) -> int:
        self.searched += len(self) - start
        return super().find(what, start)


def test_a_head_that_trickles_is_searched_once_and_not_from_its_start():
    reader, buffer = HeadReader(Options()), CountingBuffer()
    for byte in LINE + b"X: " + b"a" * 8000:
        buffer.append(byte)
        assert reader.read(buffer) is None
    assert buffer.searched < 3 * len(buffer)


@pytest.mark.parametrize("line", [b"X: a\r\n", b"X:\r\n", b"Content-Length: 5\r\n"])
def test_a_trailer_passes(line: bytes):
    read_trailer(line)


@pytest.mark.parametrize("line", [b"X: a\n", b" X: a\r\n", b"X\r\n", b"X: \x00\r\n", b": a\r\n"])
def test_a_trailer_is_refused(line: bytes):
    with pytest.raises(Refusal, match="trailer") as refused:
        read_trailer(line)
    assert refused.value.status == 400
