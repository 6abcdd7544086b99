"""What the process keeps, and what it gives up for it."""

import pytest
from clock import Clock
from hypothesis import given
from hypothesis import strategies as st

from app.cache.answers import ENTRY_BYTES, Answers

BUDGET_BYTES = 16_000
SECONDS = 60.0
LARGEST = BUDGET_BYTES // 8 - ENTRY_BYTES - 1
"""Bytes of the largest body that is kept under a key of one character."""

SIZE = 1000
"""Bytes of an entry that `put` makes: 16 of them fit."""


@pytest.fixture
def answers(clock: Clock) -> Answers[bytes]:
    return make_answers(clock)


def make_answers(clock: Clock) -> Answers[bytes]:
    return Answers(budget_bytes=BUDGET_BYTES, seconds=SECONDS, weigh=len, monotonic=clock)


def put(answers: Answers[bytes], scope: str, key: str, stamp: str = "s1") -> bytes:
    body = b"x" * (SIZE - ENTRY_BYTES - len(key))
    answers.put(scope, stamp, key, body)
    return body


def kept(answers: Answers[bytes], scope: str, stamp: str = "s1") -> list[str]:
    """Return the keys of a scope, the least recently used first, without using them."""
    found = answers._scopes.get(scope)
    return [] if found is None or found.stamp != stamp else list(found.entries)


def test_what_was_put_is_there_under_its_scope_stamp_and_key(answers: Answers[bytes]) -> None:
    answers.put("scope", "s1", "key", b"body")
    assert answers.get("scope", "s1", "key") == b"body"
    assert answers.get("scope", "s1", "another") is None
    assert answers.get("another", "s1", "key") is None
    assert answers.get("scope", "s1", "key") == b"body"


def test_what_is_put_again_takes_the_place_of_the_first(answers: Answers[bytes]) -> None:
    answers.put("scope", "s1", "key", b"first")
    answers.put("scope", "s1", "key", b"2nd")
    assert answers.get("scope", "s1", "key") == b"2nd"
    assert answers.held_bytes == 3 + len("key") + ENTRY_BYTES


def test_all_that_is_kept_fits_in_the_budget(answers: Answers[bytes]) -> None:
    for number in range(100):
        put(answers, f"scope {number % 7}", f"{number}")
        assert answers.held_bytes == min(number + 1, 16) * SIZE


def test_the_least_recently_used_scope_gives_way_its_oldest_first(answers: Answers[bytes]) -> None:
    for number in range(16):
        put(answers, "abcd"[number // 4], f"{number}")
    assert answers.get("a", "s1", "0") is not None
    for number in range(16, 21):
        put(answers, "e", f"{number}")
    assert kept(answers, "b") == []
    assert kept(answers, "c") == ["9", "10", "11"]
    assert kept(answers, "a") == ["1", "2", "3", "0"]


def test_within_a_scope_the_least_recently_used_gives_way(answers: Answers[bytes]) -> None:
    for number in range(16):
        put(answers, "scope", f"{number}")
    answers.get("scope", "s1", "0")
    put(answers, "scope", "16")
    assert kept(answers, "scope") == [*map(str, range(2, 16)), "0", "16"]


def test_a_scope_above_half_of_the_budget_makes_room_itself(answers: Answers[bytes]) -> None:
    put(answers, "quiet", "a")
    put(answers, "quiet", "b")
    for number in range(100):
        put(answers, "greedy", f"{number}")
    assert kept(answers, "quiet") == ["a", "b"]
    assert kept(answers, "greedy") == [*map(str, range(86, 100))]


def test_a_scope_below_half_of_the_budget_may_push_others_out(answers: Answers[bytes]) -> None:
    for number in range(15):
        put(answers, "greedy", f"{number}")
    put(answers, "new", "a")
    put(answers, "new", "b")
    assert kept(answers, "new") == ["a", "b"]
    assert kept(answers, "greedy") == [*map(str, range(1, 15))]


def test_a_body_above_an_eighth_of_the_budget_is_not_kept(answers: Answers[bytes]) -> None:
    answers.put("scope", "s1", "k", b"x" * LARGEST)
    answers.put("scope", "s1", "l", b"x" * (LARGEST + 1))
    assert kept(answers, "scope") == ["k"]


def test_long_keys_weigh_too(answers: Answers[bytes]) -> None:
    answers.put("scope", "s1", "k" * (BUDGET_BYTES // 8), b"")
    assert answers.held_bytes == 0


def test_another_stamp_ends_all_that_is_kept_of_the_scope_and_of_no_other(
    answers: Answers[bytes],
) -> None:
    for scope in ("written", "quiet"):
        for key in "abc":
            put(answers, scope, key)
    assert answers.get("written", "s2", "a") is None
    assert answers.held_bytes == 3 * SIZE
    assert answers.get("written", "s1", "b") is None
    assert kept(answers, "quiet") == ["a", "b", "c"]


def test_what_comes_late_under_an_old_stamp_is_not_kept(answers: Answers[bytes]) -> None:
    put(answers, "scope", "a", "s2")
    answers.put("scope", "s1", "b", b"old")
    answers.put("scope", "s1", "a", b"old")
    assert answers.get("scope", "s2", "b") is None
    assert kept(answers, "scope", "s2") == ["a"]
    assert answers.get("scope", "s2", "a") != b"old"


def test_what_comes_late_after_its_scope_was_forgotten_is_never_given(
    answers: Answers[bytes],
) -> None:
    put(answers, "scope", "a", "s1")
    assert answers.get("scope", "s2", "a") is None
    answers.put("scope", "s1", "a", b"old")
    assert answers.get("scope", "s2", "a") is None
    answers.put("scope", "s2", "a", b"new")
    assert answers.get("scope", "s2", "a") == b"new"


def test_nothing_is_kept_for_longer_than_it_may(answers: Answers[bytes], clock: Clock) -> None:
    put(answers, "scope", "a")
    clock.advance(SECONDS * 0.79)
    assert answers.get("scope", "s1", "a") is not None
    put(answers, "scope", "b")
    clock.advance(SECONDS * 0.22)
    assert answers.get("scope", "s1", "a") is None
    assert answers.held_bytes == SIZE
    assert answers.get("scope", "s1", "b") is not None
    clock.advance(SECONDS)
    assert answers.get("scope", "s1", "b") is None
    assert answers.held_bytes == 0


def test_what_was_read_at_once_does_not_go_at_once(clock: Clock) -> None:
    keys = [f"{number}" for number in range(100)]
    answers = Answers(budget_bytes=10**6, seconds=SECONDS, weigh=len, monotonic=clock)
    for key in keys:
        answers.put("scope", "s1", key, b"")
    clock.advance(SECONDS * 0.9)
    left = [key for key in keys if answers.get("scope", "s1", key) is not None]
    assert 0 < len(left) < len(keys)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "get"]),
        st.sampled_from("abc"),
        st.sampled_from(["s1", "s2"]),
        st.sampled_from("klmnopqrst"),
        st.integers(0, BUDGET_BYTES // 7),
        st.sampled_from([0.0, 0.0, 0.0, SECONDS / 3]),
    ),
    max_size=200,
)


@given(STEPS)
def test_whatever_happens_the_bytes_are_those_of_what_is_kept_and_within_the_budget(
    steps: list[tuple[str, str, str, str, int, float]],
) -> None:
    clock = Clock()
    answers = make_answers(clock)
    given_out: set[tuple[str, str, str, bytes]] = set()
    for number, (action, scope, stamp, key, size, seconds) in enumerate(steps):
        clock.advance(seconds)
        if action == "put":
            body = b"%d" % number + b"x" * size
            answers.put(scope, stamp, key, body)
            given_out.add((scope, stamp, key, body))
        elif (found := answers.get(scope, stamp, key)) is not None:
            assert (scope, stamp, key, found) in given_out
        entries = [entry for scope in answers._scopes.values() for entry in scope.entries.items()]
        weights = [len(body) + len(key) + ENTRY_BYTES for key, (body, *_) in entries]
        assert answers.held_bytes == sum(weights) <= BUDGET_BYTES
