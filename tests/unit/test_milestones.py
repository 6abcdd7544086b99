"""Places at a known distance from the top of a list."""

from clock import Clock
from hypothesis import given
from hypothesis import strategies as st

from app.domain.page import Position
from app.services.milestones import APART, MOST_LISTS, MeasuredLists, Milestone, Milestones

SECONDS = 20.0
OWNER = "public"


def place(distance: int) -> Position:
    return Position(float(-distance), f"{distance:024}")


def measured(clock: Clock) -> MeasuredLists:
    return MeasuredLists(seconds=SECONDS, monotonic=clock)


@given(st.lists(st.integers(1, 10_000)), st.integers(0, 10_000))
def test_a_milestone_is_one_that_was_added_and_never_behind_the_start(
    distances: list[int], start: int
) -> None:
    milestones = Milestones()
    for distance in distances:
        milestones.add(distance, place(distance))
    found = milestones.before(start)
    added = [Milestone(0, None), *(Milestone(number, place(number)) for number in distances)]
    assert found in added
    assert found.distance <= start
    passed = max(known.distance for known in added if known.distance <= start)
    assert passed - found.distance < APART


@given(st.lists(st.integers(1, 10_000)))
def test_milestones_are_apart_so_that_a_list_never_has_many(distances: list[int]) -> None:
    milestones = Milestones()
    for distance in distances:
        milestones.add(distance, place(distance))
    assert len({milestones.before(start) for start in range(10_001)}) <= 2 * 10_000 // APART + 1


def test_a_list_is_measured_anew_under_another_stamp(clock: Clock) -> None:
    lists = measured(clock)
    lists.under(OWNER, "s1").add(500, place(500))
    assert lists.under(OWNER, "s1").before(500).distance == 500
    assert lists.under("another", "s1").before(500).distance == 0
    assert lists.under(OWNER, "s2").before(500).distance == 0
    assert lists.under(OWNER, "s1").before(500).distance == 0


def test_what_is_seen_late_under_an_old_stamp_says_nothing_about_the_new_one(clock: Clock) -> None:
    lists = measured(clock)
    old = lists.under(OWNER, "s1")
    lists.under(OWNER, "s2")
    old.add(500, place(500))
    assert lists.under(OWNER, "s2").before(500).distance == 0


def test_without_a_stamp_nothing_is_kept(clock: Clock) -> None:
    lists = measured(clock)
    lists.under(OWNER, None).add(500, place(500))
    assert lists.under(OWNER, None).before(500).distance == 0


def test_a_list_is_measured_anew_after_some_time_however_often_it_is_read(clock: Clock) -> None:
    lists = measured(clock)
    lists.under(OWNER, "s1").add(500, place(500))
    clock.advance(SECONDS - 1)
    assert lists.under(OWNER, "s1").before(500).distance == 500
    lists.under(OWNER, "s1").add(900, place(900))
    clock.advance(2)
    assert lists.under(OWNER, "s1").before(1000).distance == 0


def test_the_lists_that_were_read_last_are_kept(clock: Clock) -> None:
    lists = measured(clock)
    for number in range(MOST_LISTS):
        lists.under(f"{number}", "s1").add(500, place(500))
    lists.under("0", "s1")
    lists.under("one more", "s1")
    assert lists.under("0", "s1").before(500).distance == 500
    assert lists.under("1", "s1").before(500).distance == 0
