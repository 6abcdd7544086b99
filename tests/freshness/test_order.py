"""The check of the order finds what is out of order in histories written by hand."""

import pytest
from freshness_history import MONGODB, Operation, Outcome, Page, Seen
from freshness_order import check_order
from freshness_verdict import Verdict

SECOND = 1_000_000


def seen(todo: str, created: int) -> Seen:
    return Seen(todo, 1, 0, False, created, f"id-{todo}")


def create(start: int, end: int, todo: str, outcome: Outcome = "done") -> Operation:
    return Operation(
        client=0, process=0, start=start, end=end, action="create", outcome=outcome, todo=todo
    )


def show(*items: Seen, process: int = 0) -> Operation:
    return Operation(
        client=0,
        process=process,
        start=100,
        end=110,
        action="list",
        outcome="done",
        page=Page(items, (None, None)),
    )


def accused(*operations: Operation, clock_jump_seconds: float = 0.0) -> list[str]:
    verdict = Verdict()
    check_order(operations, verdict, clock_jump_seconds=clock_jump_seconds)
    return [violation.todo for violation in verdict.violations]


RIGHT = {
    "newest first": [show(seen("b", 2 * SECOND), seen("a", SECOND))],
    "times that two formats round differently": [show(seen("b", SECOND), seen("a", SECOND + 1))],
    "what MongoDB holds, in any order": [
        show(seen("a", SECOND), seen("b", 2 * SECOND), process=MONGODB)
    ],
    "creations at the same time, either way": [
        create(0, 20, "b"),
        create(10, 30, "a"),
        show(seen("b", 2 * SECOND), seen("a", SECOND)),
    ],
    "a creation that was never shown": [create(0, 10, "a"), create(20, 30, "b")],
}


@pytest.mark.parametrize("history", RIGHT.values(), ids=RIGHT)
def test_what_is_right_is_not_accused(history: list[Operation]):
    assert accused(*history) == []


def test_a_list_that_is_not_newest_first_is_accused():
    assert accused(show(seen("a", SECOND), seen("b", 2 * SECOND))) == ["b"]


@pytest.mark.parametrize("process", [0, MONGODB], ids=["a list", "MongoDB"])
def test_a_todo_with_a_time_before_that_of_an_older_one_is_accused(process: int):
    older, newer = create(0, 10, "older"), create(20, 30, "newer")
    shown = show(seen("older", 3 * SECOND), seen("newer", SECOND), process=process)
    assert accused(older, newer, shown) == ["newer"]


def test_a_clock_may_be_wrong_by_its_jump_and_by_no_more():
    history = [
        create(0, 10, "older"),
        create(20, 30, "newer"),
        show(seen("older", 5 * SECOND), seen("newer", SECOND)),
    ]
    assert accused(*history, clock_jump_seconds=4.0) == []
    assert accused(*history, clock_jump_seconds=3.0) == ["newer"]


def test_a_creation_whose_end_is_unknown_tells_nothing():
    older, newer = create(0, 10, "older", "unknown"), create(20, 30, "newer")
    assert accused(older, newer, show(seen("older", 2 * SECOND), seen("newer", SECOND))) == []
