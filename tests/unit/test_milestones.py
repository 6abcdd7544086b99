"""Places at a known distance from the top of a list."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.page import Position
from app.services.milestones import APART, Milestone, Milestones

LONGEST = 10_000


def place(distance: int) -> Position:
    return Position(float(-distance), f"{distance:024}")


def measured(distances: list[int]) -> Milestones:
    milestones = Milestones()
    for distance in distances:
        milestones.add(distance, place(distance))
    return milestones


@example([1016, 997], 1005)
@example([1016, 997, 978, 959], 1020)
@given(st.lists(st.integers(1, LONGEST)), st.integers(0, LONGEST))
def test_a_milestone_is_one_that_was_added_and_not_far_before_the_start(
    distances: list[int], start: int
) -> None:
    found = measured(distances).before(start)
    added = [Milestone(0, None), *(Milestone(number, place(number)) for number in distances)]
    assert found in added
    passed = max(known.distance for known in added if known.distance <= start)
    assert 0 <= passed - found.distance < 2 * APART


@pytest.mark.parametrize(
    "distances",
    [range(1, LONGEST), range(LONGEST, 0, -1), [n * 7919 % LONGEST for n in range(1, LONGEST)]],
    ids=["down the list", "up the list", "at random"],
)
def test_milestones_are_few_and_not_far_apart_in_whatever_order_a_list_is_read(
    distances: list[int],
) -> None:
    milestones = measured(list(distances))
    found = sorted({milestones.before(start).distance for start in range(LONGEST + 1)})
    assert all(behind - before <= 2 * APART for before, behind in pairwise(found))
    assert len(found) <= 2 * LONGEST / APART
