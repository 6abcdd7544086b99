"""Ids that are known to name nothing."""

from hypothesis import given
from hypothesis import strategies as st

from app.services.gaps import MOST_GAPS, Gaps, Neighbours

IDS = st.integers(0, 16**24 - 1) | st.integers(0, 30) | st.just(16**24 - 1)


def name(number: int) -> str:
    return f"{number:024x}"


def neighbours(todos: set[int], wanted: int) -> Neighbours:
    """Return what MongoDB finds next to an id that none of these has."""
    below = max((todo for todo in todos if todo < wanted), default=None)
    above = min((todo for todo in todos if todo > wanted), default=None)
    return Neighbours(*(None if todo is None else name(todo) for todo in (below, above)))


@given(st.sets(IDS), st.lists(IDS), IDS)
def test_what_is_absent_is_what_lies_in_a_gap_that_was_seen(
    todos: set[int], tried: list[int], wanted: int
) -> None:
    gaps = Gaps()
    seen = [neighbours(todos, number) for number in tried if number not in todos]
    for gap in seen:
        gaps.add(gap)
    expected = wanted not in todos and neighbours(todos, wanted) in seen
    assert gaps.has(name(wanted)) is expected


def test_where_there_are_no_todos_one_gap_holds_every_id() -> None:
    gaps = Gaps()
    assert not gaps.has(name(5))
    gaps.add(neighbours(set(), 5))
    assert all(gaps.has(name(number)) for number in (0, 5, 16**24 - 1))


def test_so_many_gaps_are_known_and_no_more() -> None:
    todos = set(range(0, 4 * MOST_GAPS, 2))
    gaps = Gaps()
    for number in range(1, 4 * MOST_GAPS, 2):
        gaps.add(neighbours(todos, number))
    assert sum(gaps.has(name(number)) for number in range(4 * MOST_GAPS)) == MOST_GAPS
