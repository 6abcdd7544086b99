"""Reading a body off the input: by length and in parts, its limit, and the pace it must keep."""

import pytest

from app.httpserver.body import BodyReader
from app.httpserver.framing import understand
from app.httpserver.head import RawHead
from app.httpserver.options import Options
from app.httpserver.refusal import Refusal

OPTIONS = Options(chunk_bytes=4, body_grace_seconds=5.0, min_body_rate=10)
SINCE = 1000.0


def body(field: str = "Content-Length: 10", *, max_bytes: int = 10, seconds: float = 30.0):
    name, _, value = field.partition(": ")
    raw = RawHead("POST", "/", "HTTP/1.1", (("Host", "a"), (name, value)))
    head = understand(raw, OPTIONS, ())
    return BodyReader(head, OPTIONS, max_bytes=max_bytes, seconds=seconds, now=SINCE)


def test_a_body_is_taken_in_parts_and_nothing_after_it():
    reader, held = body(), bytearray(b"0123456789GET")
    assert [reader.take(held) for _ in range(3)] == [b"0123", b"4567", b"89"]
    assert reader.is_complete
    assert held == b"GET"


def test_a_body_is_complete_with_its_last_byte():
    reader = body()
    for byte in b"012345678":
        assert reader.take(bytearray([byte])) == bytes([byte])
        assert not reader.is_complete
    assert reader.take(bytearray(b"9")) == b"9"
    assert reader.is_complete


def test_nothing_is_taken_from_nothing():
    reader = body()
    assert reader.take(bytearray()) == b""
    assert not reader.is_complete


def test_a_chunked_body_is_taken_in_parts():
    reader = body("Transfer-Encoding: chunked")
    held = bytearray(b"6\r\n012345\r\n0\r\n\r\nGET")
    assert [reader.take(held) for _ in range(3)] == [b"0123", b"45", b""]
    assert reader.is_complete
    assert held == b"GET"


def test_an_empty_body_is_complete_at_once():
    assert body("Content-Length: 0").is_complete


def test_an_announced_body_above_its_limit_is_refused_before_it_comes():
    with pytest.raises(Refusal) as refused:
        body("Content-Length: 11")
    assert refused.value.status == 413


def test_a_chunked_body_above_its_limit_is_refused():
    with pytest.raises(Refusal) as refused:
        body("Transfer-Encoding: chunked").take(bytearray(b"b\r\n"))
    assert refused.value.status == 413


def test_nothing_is_late_within_the_grace():
    assert not body().is_late(SINCE + 5.0)


def test_a_body_is_late_below_the_least_rate_after_the_grace():
    assert body("Content-Length: 10").is_late(SINCE + 5.1)


def test_a_body_that_keeps_the_least_rate_is_not_late():
    reader = body("Content-Length: 1000", max_bytes=1000)
    for _ in range(25):
        reader.take(bytearray(b"aaaa"))
    assert not reader.is_late(SINCE + 15.0)
    assert reader.is_late(SINCE + 15.1)


def test_the_bytes_of_chunks_keep_the_rate():
    reader = body("Transfer-Encoding: chunked", max_bytes=100)
    held = bytearray(b"64\r\n" + b"a" * 100)
    for _ in range(25):
        reader.take(held)
    assert not reader.is_late(SINCE + 15.0)
    assert reader.is_late(SINCE + 15.1)


def test_a_body_is_late_when_its_time_is_over_however_fast_it_comes():
    reader = body("Content-Length: 100000", max_bytes=100_000, seconds=6.0)
    for _ in range(1000):
        reader.take(bytearray(b"aaaa"))
    assert not reader.is_late(SINCE + 5.9)
    assert reader.is_late(SINCE + 6.0)


def test_the_time_in_which_the_application_was_busy_does_not_count():
    reader = body(seconds=6.0)
    reader.excuse(10.0)
    assert not reader.is_late(SINCE + 15.0)
    assert reader.is_late(SINCE + 16.0)


@pytest.mark.parametrize(
    ("seconds", "now", "check"),
    [(30.0, 0.0, 5.0), (30.0, 4.9, 5.0), (30.0, 5.0, 6.0), (30.0, 29.5, 30.0), (3.0, 0.0, 3.0)],
)
def test_lateness_is_asked_for_in_time(seconds: float, now: float, check: float):
    assert body(seconds=seconds).next_check(SINCE + now) == SINCE + check
