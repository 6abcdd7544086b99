"""Heads are remembered by their bytes, within limits, and read from input one after the other."""

from collections.abc import Callable

import pytest

from app.httpserver.heads import HeadInput, Heads
from app.httpserver.options import Options
from app.httpserver.refusal import Refusal


def get(number: int, *fields: str) -> bytes:
    lines = (f"GET /{number} HTTP/1.1", "Host: a", *fields, "", "")
    return "\r\n".join(lines).encode("latin-1")


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
            found = heads.read(get(1, f"X-Kind: {kind}"))
            assert found is not None
            assert (found[0].ready_request is not None) == expected
    assert judged == [("GET", "good", None), ("GET", "bad", None)]


@pytest.mark.parametrize("size", [1, 7, 30, 1000])
def test_heads_are_taken_one_after_the_other(size: int):
    heads, held, found = HeadInput(Heads(Options(), ())), bytearray(), []
    data = b"".join(get(number) for number in range(5)) + get(5)[:-1]
    for at in range(0, len(data), size):
        held += data[at : at + size]
        while (taken := heads.take(held)) is not None:
            found.append(taken[0].start_line.path)
    assert found == ["/0", "/1", "/2", "/3", "/4"]
    assert held == get(5)[:-1]
    assert heads.is_partial


# --- The field that is each request's own


def own_heads(**options: int) -> Heads:
    return Heads(Options(**options), (), own_field="x-request-id")


def read(heads: Heads, *fields: str) -> tuple[tuple[str, str], ...]:
    """Return the fields of a head and its own, as an application would see them."""
    taken = HeadInput(heads).take(bytearray(get(1, *fields)))
    assert taken is not None
    head, own = taken
    return head.fields if own is None or head.own == own else (*head.fields, ("own", own))


def test_heads_that_differ_in_their_own_field_alone_are_one():
    heads = own_heads()
    first, last = (HeadInput(heads).take(bytearray(get(1, f"X-Request-Id: {i}"))) for i in "ab")
    assert first is not None
    assert last is not None
    assert first[0] is last[0]
    assert (first[1], last[1]) == ("a", "b")


@pytest.mark.parametrize("other", ["Accept: b", "X-Request-Id: a", "X-Request: b", "x-request-id:"])
def test_heads_that_differ_in_another_line_are_not(other: str):
    heads = own_heads()
    remember(heads, get(1, "X-Request-Id: a", "Accept: a"))
    fields = read(heads, other, "X-Request-Id: b")
    assert [value for name, value in fields if name == "Accept"] == (
        ["b"] if other == "Accept: b" else []
    )


@pytest.mark.parametrize(
    "fields",
    [
        ("X-Request-Id: a",),
        ("Accept: x", "X-REQUEST-ID:a", "Cookie: y"),
        ("X-Request-Id: a b",),
        ("X-Request-Id: a", "X-Request-Id: b"),
        ("X-Request-Id: a b", "X-Request-Id: c"),
        ("X-Request-Id:",),
        ("X-Request-Id: \xe9",),
        ("X-Request-Id: a ",),
    ],
    ids=str,
)
def test_what_an_application_sees_is_the_same_however_often_a_head_is_read(fields: tuple[str, ...]):
    heads = own_heads()
    remember(heads, get(1, "X-Request-Id: z"))
    remember(heads, get(1))
    seen = [
        sorted((name.lower().replace("own", "x-request-id"), value) for name, value in found)
        for found in (read(heads, *fields) for _ in range(3))
    ]
    split = [field.partition(":") for field in ("Host: a", *fields)]
    assert seen == 3 * [sorted((name.lower(), value.strip(" ")) for name, _, value in split)]


def test_a_head_that_its_own_field_makes_too_large_is_refused_though_it_is_known_without():
    heads = own_heads(max_field_bytes=40)
    remember(heads, get(1, "X-Request-Id: a"))
    with pytest.raises(Refusal):
        remember(heads, get(1, "X-Request-Id: " + 40 * "a"))


def test_a_field_that_is_one_too_many_is_refused_though_the_head_is_known_without():
    heads = own_heads(max_fields=2)
    remember(heads, get(1, "Accept: a"))
    with pytest.raises(Refusal):
        remember(heads, get(1, "Accept: a", "X-Request-Id: a"))
