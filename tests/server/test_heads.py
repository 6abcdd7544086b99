"""Heads are remembered by their bytes, within limits, and read from input one after the other."""

from collections.abc import Callable

import pytest

from app.httpserver.heads import HeadInput, Heads
from app.httpserver.options import Options
from app.httpserver.refusal import Refusal


def get(number: int, *fields: str) -> bytes:
    lines = (f"GET /{number} HTTP/1.1", "Host: a", *fields, "", "")
    return "\r\n".join(lines).encode()


def remember(heads: Heads, data: bytes) -> None:
    assert HeadInput(heads).take(bytearray(data)) is not None


def test_a_head_is_remembered_by_its_bytes():
    heads = Heads(Options(), ())
    remember(heads, get(1))
    found = heads.get(get(1))
    assert found is not None
    assert found.start_line.path == "/1"
    assert heads.get(get(2)) is None
    assert heads.get(get(1)[:-1]) is None


def test_a_refused_head_is_not_remembered():
    heads = Heads(Options(), ())
    with pytest.raises(Refusal):
        remember(heads, get(1, "Host: b"))
    assert heads.get(get(1, "Host: b")) is None


def test_the_largest_head_is_remembered_and_no_larger_one():
    heads = Heads(Options(remembered_head_bytes=len(get(1))), ())
    remember(heads, get(1))
    remember(heads, get(10))
    assert heads.get(get(1)) is not None
    assert heads.get(get(10)) is None


def test_no_more_heads_are_remembered_than_the_limit():
    heads = Heads(Options(remembered_heads=3), ())
    for number in range(10):
        remember(heads, get(number))
        assert heads.get(get(number)) is not None
        assert sum(heads.get(get(other)) is not None for other in range(10)) <= 3


def test_none_are_remembered_where_the_limit_is_zero():
    heads = Heads(Options(remembered_heads=0), ())
    remember(heads, get(1))
    assert heads.get(get(1)) is None


def test_a_remembered_head_knows_the_ready_fields():
    heads = Heads(Options(), ("cookie",))
    remember(heads, get(1, "Cookie: a"))
    found = heads.get(get(1, "Cookie: a"))
    assert found is not None
    assert found.ready_request is not None
    assert found.ready_request.values == ("a",)


def test_a_head_that_comes_again_is_not_judged_again():
    judged: list[tuple[str, str | None, str | None]] = []

    def may_be_ready(method: str, get_field: Callable[[str], str | None]) -> bool:
        judged.append((method, get_field("x-kind"), get_field("cookie")))
        return get_field("x-kind") == "good"

    heads = Heads(Options(), (), may_be_ready)
    for kind, expected in (("good", True), ("bad", False)):
        for _ in range(3):
            head = heads.read(get(1, f"X-Kind: {kind}"))
            assert head is not None
            assert (head.ready_request is not None) == expected
    assert judged == [("GET", "good", None), ("GET", "bad", None)]


@pytest.mark.parametrize("size", [1, 7, 30, 1000])
def test_heads_are_taken_one_after_the_other(size: int):
    heads, held, found = HeadInput(Heads(Options(), ())), bytearray(), []
    data = b"".join(get(number) for number in range(5)) + get(5)[:-1]
    for at in range(0, len(data), size):
        held += data[at : at + size]
        while (head := heads.take(held)) is not None:
            found.append(head.start_line.path)
    assert found == ["/0", "/1", "/2", "/3", "/4"]
    assert held == get(5)[:-1]
    assert heads.is_partial
