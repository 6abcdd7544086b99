"""Chunked bodies: sizes, extensions, the ends of chunks, trailers, and what they may cost."""

import pytest

from app.httpserver.chunked import ChunkedDecoder
from app.httpserver.options import Options
from app.httpserver.refusal import Refusal

OPTIONS = Options(max_trailers=2, max_trailers_bytes=20)
MAX_BODY = 100_000
FREE_OVERHEAD = 16_384
MAX_SIZE_LINE = 1024

Result = tuple[bytes, bool, bytes] | int


def decode(pieces: list[bytes], *, at_most: int = 65_536, max_body_bytes: int = MAX_BODY) -> Result:
    """Return the body, whether it is complete and what is left; or the status of a refusal."""
    decoder, held, body = ChunkedDecoder(OPTIONS), bytearray(), b""
    try:
        for piece in pieces:
            held += piece
            before = -1
            while len(held) != before:
                before = len(held)
                data = decoder.decode(held, at_most=at_most, max_body_bytes=max_body_bytes)
                assert len(data) <= at_most
                body += data
    except Refusal as refusal:
        return int(refusal.status)
    return body, decoder.is_complete, bytes(held)


def results(data: bytes) -> set[Result]:
    """Return what comes of data in one piece, in each two pieces, and byte by byte."""
    ways = [[data], *([data[:at], data[at:]] for at in range(1, len(data)))]
    return {decode(way) for way in [*ways, [bytes([byte]) for byte in data]]}


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", b"hello!"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"00005\r\nhello\r\n000\r\n\r\n", b"hello"),
        (b"0000000000000005\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5;a=b;c\r\nhello\r\n0;c\r\n\r\n", b"hello"),
        (b'5; a="\xff\t"\r\nhello\r\n0;x\r\n\r\n', b"hello"),
        (b'5 ;\ta\t= "b\\"c;d" ; e\r\nhello\r\n0 ;x=""\r\n\r\n', b"hello"),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
    ],
)
def test_a_body_is_decoded(sent: bytes, body: bytes):
    assert results(sent) == {(body, True, b"")}


def test_what_follows_a_body_is_left():
    follows = b"GET / HTTP/1.1\r\n"
    assert decode([b"1\r\na\r\n0\r\n\r\n" + follows]) == (b"a", True, follows)


@pytest.mark.parametrize("at_most", [1, 2, 3, 5, 7])
def test_a_body_is_handed_out_in_parts(at_most: int):
    assert decode([b"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"], at_most=at_most) == (
        *(b"helloworld", True, b""),
    )


@pytest.mark.parametrize("end", range(1, len(b"5\r\nhello\r\n0\r\n\r\n")))
def test_a_part_of_a_body_is_not_complete(end: int):
    found = decode([b"5\r\nhello\r\n0\r\n\r\n"[:end]])
    assert isinstance(found, tuple)
    assert not found[1]


@pytest.mark.parametrize(
    "line",
    [
        *(b"\r\n", b"g\r\n", b"0x5\r\n", b"+5\r\n", b"-5\r\n", b"5_0\r\n", b" 5\r\n", b"5 \r\n"),
        *(b"5\t\r\n", b"5.\r\n", b"5\n", b"5\r\r\n", b";a\r\n", b"5 ;\r\n", b"5;a\n", b"5,5\r\n"),
        *(b"5;\r\n", b"5;a=\r\n", b"5;=b\r\n", b"5;a b\r\n", b"5;a;\r\n", b"5;a \r\n"),
        *(b'5;a="b\r\n', b'5;a="b"c\r\n', b'5;"a"\r\n', b'5;a="\\"\r\n', b"5;a=b=c\r\n"),
        *(b"5;\xff\r\n", b"5;a=b,c\r\n", b"5;a=(b)\r\n", b"5;;a\r\n"),
        *(b"5;a\rb\r\n", b"5;a\x00\r\n", b"5;\x7f\r\n", b"5;\x1b\r\n", b"0" * 17 + b"\r\n"),
        *(b"\xd9\xa5\r\n", b"5\x85\r\n", b"\xa05\r\n", b"1" * 17 + b"\r\n", b"5;\x0b\r\n"),
    ],
)
@pytest.mark.parametrize("before", [b"", b"1\r\na\r\n"])
def test_the_line_of_a_size_is_refused(line: bytes, before: bytes):
    assert results(before + line) == {400}


@pytest.mark.parametrize(
    "end", [b"XX", b"\n", b"\rX", b"X\r\n", b"\r\r\n", b"0\r\n\r\n", b"\n\r", b"X"]
)
def test_a_chunk_is_as_long_as_its_size(end: bytes):
    assert results(b"5\r\nhello" + end) == {400}


def test_the_longest_line_of_a_size_passes():
    line = b"1;".ljust(MAX_SIZE_LINE - 2, b"a") + b"\r\n"
    assert decode([line + b"a\r\n0\r\n\r\n"]) == (b"a", True, b"")


def test_a_longer_line_of_a_size_is_refused():
    line = b"1;".ljust(MAX_SIZE_LINE - 1, b"a") + b"\r\n"
    assert decode([line + b"a\r\n0\r\n\r\n"]) == 400
    assert decode([line[:MAX_SIZE_LINE]]) == 400
    assert decode([line[: MAX_SIZE_LINE - 1]]) == (b"", False, line[: MAX_SIZE_LINE - 1])


@pytest.mark.parametrize("chunks", [[5], [2, 3], [1, 1, 1, 1, 1]])
def test_the_largest_body_passes(chunks: list[int]):
    sent = b"".join(b"%x\r\n%b\r\n" % (size, b"a" * size) for size in chunks)
    assert decode([sent + b"0\r\n\r\n"], max_body_bytes=5) == (b"aaaaa", True, b"")


@pytest.mark.parametrize("sent", [b"6\r\n", b"5\r\naaaaa\r\n1\r\n", b"F" * 16 + b"\r\n"])
def test_a_larger_body_is_refused_by_its_sizes_before_it_is_there(sent: bytes):
    assert decode([sent], max_body_bytes=5) == 413


def test_small_chunks_pass_as_long_as_they_are_few():
    # Each costs 5 bytes of framing and pays for 2; the first one's zero uses up the rest.
    few = FREE_OVERHEAD // 3
    assert decode([b"01\r\na\r\n" + b"1\r\na\r\n" * (few - 1)]) == (b"a" * few, False, b"")


def test_too_many_small_chunks_are_refused():
    assert decode([b"1\r\na\r\n" * (FREE_OVERHEAD // 3 + 1)]) == 400


def test_chunks_pay_for_their_extensions():
    sent = b"5;" + b"a" * 1000 + b"\r\nhello\r\n"
    passing = FREE_OVERHEAD // (1006 - 10)
    assert isinstance(decode([sent * passing]), tuple)
    assert decode([sent * (passing + 1)]) == 400


def test_large_chunks_pay_for_themselves():
    assert isinstance(decode([b"10\r\n" + b"a" * 16 + b"\r\n"] * (MAX_BODY // 16)), tuple)


LAST = b"1\r\na\r\n0\r\n"


def test_trailers_are_read_and_dropped():
    assert results(LAST + b"X: a\r\nHost: b\r\n\r\n") == {(b"a", True, b"")}


def test_the_most_trailers_pass_and_one_more_is_refused():
    assert results(LAST + b"X:\r\n" * 2 + b"\r\n") == {(b"a", True, b"")}
    assert results(LAST + b"X:\r\n" * 3) == {431}


def test_the_largest_trailers_pass():
    assert results(LAST + b"X: 45678\r\n" * 2 + b"\r\n") == {(b"a", True, b"")}


@pytest.mark.parametrize(
    "trailers", [b"X: 45678\r\nX: 456789\r\n", b"X: " + b"a" * 20 + b"\r\n", b"X" * 21]
)
def test_larger_trailers_are_refused(trailers: bytes):
    assert decode([LAST + trailers]) == 431
    assert decode([LAST] + [bytes([byte]) for byte in trailers]) == 431


@pytest.mark.parametrize(
    "trailer", [b"XX\r\n", b" X: a\r\n", b"\n", b"X: a\n", b"X: a\rb\r\n", b"GET / HTTP/1.1\r\n"]
)
def test_a_malformed_trailer_is_refused(trailer: bytes):
    assert results(LAST + trailer) == {400}
