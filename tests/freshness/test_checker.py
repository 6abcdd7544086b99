"""The checker finds what is wrong with histories written by hand, and nothing in right ones."""

import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from freshness_checker import check
from freshness_history import MONGODB, Operation, Page, Seen, read_history, write_history


def seen(
    rev: int, number: int = 0, *, todo: str = "a", created: int = 100, is_finished: bool = False
) -> Seen:
    return Seen(todo, rev, number, is_finished, created, f"id-{todo}")


def page(*items: Seen, covers: tuple[int | None, int | None] | None = None) -> Page:
    return Page(items, covers)


EVERYTHING = (None, None)


def did(start: int, end: int, action: Any, outcome: Any = "done", **more: Any) -> Operation:
    more.setdefault("todo", "" if action == "list" else "a")
    return Operation(
        client=0, process=0, start=start, end=end, action=action, outcome=outcome, **more
    )


def read(start: int, end: int, *items: Seen, **more: Any) -> Operation:
    return did(start, end, "read", page=page(*items), **more)


CREATED = did(0, 10, "create", page=page(seen(1)))
PATCHED = did(20, 30, "patch", number=1, page=page(seen(2, 1)))
FINISHED = did(40, 50, "finish", page=page(seen(3, 1, is_finished=True)))
FINISHED_SILENTLY = did(40, 50, "finish")
DELETED = did(60, 70, "delete")
UNKNOWN_PATCH = did(20, 30, "patch", "unknown", number=1)
UNKNOWN_DELETE = did(20, 30, "delete", "unknown")
UNKNOWN_CREATE = did(0, 10, "create", "unknown")
MISSING = did(80, 90, "read", "absent")


def everything(start: int, end: int, *items: Seen, process: int = 0) -> Operation:
    shown = page(*items, covers=EVERYTHING)
    return Operation(
        client=0,
        process=process,
        start=start,
        end=end,
        action="list",
        outcome="done",
        page=shown,
    )


@pytest.mark.parametrize(
    "history",
    [
        pytest.param([CREATED, read(11, 12, seen(1)), PATCHED, read(31, 32, seen(2, 1))], id="now"),
        pytest.param([CREATED, PATCHED, read(25, 35, seen(1))], id="old while it is written"),
        pytest.param([CREATED, PATCHED, read(21, 22, seen(2, 1))], id="new while it is written"),
        pytest.param(
            [CREATED, PATCHED, read(21, 26, seen(2, 1)), read(25, 29, seen(1))],
            id="old beside new",
        ),
        pytest.param([CREATED, PATCHED, read(30, 40, seen(1))], id="begun as it is acknowledged"),
        pytest.param([CREATED, UNKNOWN_PATCH, read(40, 50, seen(1))], id="unknown and not done"),
        pytest.param(
            [CREATED, UNKNOWN_PATCH, read(40, 50, seen(1)), read(51, 52, seen(2, 1))],
            id="unknown and done late",
        ),
        pytest.param([CREATED, PATCHED, DELETED, MISSING], id="deleted"),
        pytest.param([CREATED, UNKNOWN_DELETE, read(40, 50, seen(1)), MISSING], id="deleted late"),
        pytest.param([UNKNOWN_CREATE, MISSING, read(91, 92, seen(1))], id="created late"),
        pytest.param([CREATED, did(5, 6, "read", "absent")], id="not there yet"),
        pytest.param(
            [CREATED, PATCHED, FINISHED_SILENTLY, read(51, 52, seen(0, 1, is_finished=True))],
            id="without a rev that anybody told",
        ),
        pytest.param(
            [CREATED, did(11, 12, "list", page=page(covers=(100, None)))], id="beyond the page"
        ),
        pytest.param(
            [CREATED, did(11, 12, "list", page=page(covers=(None, 100)))], id="above the page"
        ),
        pytest.param(
            [CREATED, PATCHED, DELETED, everything(61, 62), everything(71, 72, process=MONGODB)],
            id="missing while it is deleted",
        ),
    ],
)
def test_a_right_history_is_right(history: list[Operation]) -> None:
    verdict = check(history)
    assert verdict.violations == []
    assert verdict.lost == 0


BAD: dict[str, tuple[str, list[Operation]]] = {
    "older than an acknowledged change": ("stale", [CREATED, PATCHED, read(31, 32, seen(1))]),
    "older, with no rev shown": ("stale", [CREATED, PATCHED, read(31, 32, seen(0, 0))]),
    "older, on a list": (
        "stale",
        [CREATED, PATCHED, everything(31, 32, seen(1))],
    ),
    "not finished after it was": (
        "stale",
        [CREATED, PATCHED, FINISHED_SILENTLY, read(51, 52, seen(0, 1))],
    ),
    "deleted and shown": ("stale", [CREATED, PATCHED, DELETED, read(71, 72, seen(2, 1))]),
    "deleted and listed without a rev": (
        "stale",
        [CREATED, UNKNOWN_PATCH, DELETED, everything(71, 72, seen(0, 1))],
    ),
    "new, then old": (
        "backwards",
        [CREATED, UNKNOWN_PATCH, read(40, 50, seen(2, 1)), read(51, 52, seen(1))],
    ),
    "new on a list, then old": (
        "backwards",
        [CREATED, PATCHED, everything(21, 22, seen(2, 1)), read(23, 24, seen(1))],
    ),
    "gone, then there": (
        "backwards",
        [CREATED, UNKNOWN_DELETE, did(40, 50, "read", "absent"), read(51, 52, seen(1))],
    ),
    "missing from a list, then there": (
        "backwards",
        [CREATED, UNKNOWN_DELETE, everything(40, 50), read(51, 52, seen(1))],
    ),
    "finished, then not": (
        "backwards",
        [
            CREATED,
            did(20, 60, "finish"),
            read(30, 31, seen(0, 0, is_finished=True)),
            read(32, 33, seen(0, 0)),
        ],
    ),
    "seen before it began": ("future", [CREATED, PATCHED, read(11, 12, seen(2, 1))]),
    "seen before it was created": ("future", [did(5, 10, "create"), read(1, 4, seen(1))]),
    "finished before anybody asked": (
        "future",
        [CREATED, FINISHED_SILENTLY, read(11, 12, seen(0, 0, is_finished=True))],
    ),
    "a rev that nobody can have made yet": (
        "future",
        [CREATED, PATCHED, FINISHED, read(31, 32, seen(3, 1))],
    ),
    "a rev that nobody made": ("never written", [CREATED, PATCHED, read(31, 32, seen(3, 1))]),
    "content that nobody wrote": ("never written", [CREATED, read(11, 12, seen(1, 7))]),
    "a change that was refused": (
        "never written",
        [CREATED, did(20, 30, "patch", "absent", number=1), read(31, 32, seen(2, 1))],
    ),
    "a todo that nobody created": ("never written", [read(1, 2, seen(1))]),
    "created and not found": ("missing", [CREATED, did(11, 12, "read", "absent")]),
    "created and not listed": ("missing", [CREATED, everything(11, 12)]),
    "created without an answer's body, and not listed": (
        "missing",
        [did(0, 10, "create"), everything(11, 12)],
    ),
    "not found by a change": ("missing", [CREATED, did(11, 12, "patch", "absent", number=1)]),
    "missing from the page that covers it": (
        "missing",
        [CREATED, did(11, 12, "list", page=page(covers=(90, 110)))],
    ),
    "missing before its deletion began": (
        "missing",
        [CREATED, DELETED, everything(50, 55)],
    ),
    "two changes with one rev": (
        "two faces",
        [CREATED, PATCHED, did(21, 31, "patch", number=2, page=page(seen(2, 2)))],
    ),
    "a change below what was acknowledged": (
        "stale",
        [
            CREATED,
            did(20, 30, "patch", number=1, page=page(seen(3, 1))),
            did(40, 50, "patch", number=2, page=page(seen(2, 2))),
        ],
    ),
    "changed after it was deleted": (
        "stale",
        [CREATED, DELETED, did(80, 90, "patch", number=1, page=page(seen(2, 1)))],
    ),
    "finished after it was deleted": ("undead", [CREATED, DELETED, did(80, 90, "finish")]),
    "deleted twice": (
        "undead",
        [CREATED, DELETED, did(61, 71, "delete"), everything(80, 90, process=MONGODB)],
    ),
    "stored twice": (
        "doubled",
        [CREATED, read(11, 12, Seen("a", 1, 0, False, 100, "other"))],
    ),
    "listed twice": ("doubled", [CREATED, everything(11, 12, seen(1), seen(1))]),
    "an acknowledged todo lost": ("lost", [CREATED, everything(80, 90, process=MONGODB)]),
    "an acknowledged change lost": (
        "lost",
        [CREATED, PATCHED, everything(80, 90, seen(1), process=MONGODB)],
    ),
    "an acknowledged deletion lost": (
        "lost",
        [CREATED, PATCHED, DELETED, everything(80, 90, seen(2, 1), process=MONGODB)],
    ),
    "a fault": ("refused", [did(1, 2, "read", "refused", remark="500")]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_found(name: str) -> None:
    rule, history = BAD[name]
    verdict = check(history)
    assert rule in verdict.counts
    assert all(violation.proof for violation in verdict.violations)


def test_a_deletion_that_found_nothing_may_have_been_repeated_by_a_proxy() -> None:
    found_nothing = did(60, 70, "delete", "absent")
    history = [CREATED, found_nothing, everything(71, 72), everything(80, 90, process=MONGODB)]
    assert check(history).counts
    assert not check(history, may_be_repeated=lambda _: True).counts


@pytest.mark.parametrize("name", BAD)
def test_the_order_in_which_operations_are_given_does_not_matter(name: str) -> None:
    rule, history = BAD[name]
    Random(1).shuffle(history)
    assert rule in check(history).counts


def test_the_proof_names_the_write_and_the_read() -> None:
    bad_read = read(31, 32, seen(1))
    (violation,) = check([CREATED, PATCHED, read(31, 33, seen(2, 1)), bad_read]).violations
    assert violation.proof == (PATCHED, bad_read)


def test_one_stale_read_among_very_many_operations_is_found_in_a_minute() -> None:
    history = [CREATED]
    for step in range(1, 50_000):
        shown = page(seen(step + 1, step))
        at = step * 100
        history.append(did(at, at + 10, "patch", number=step, page=shown))
        history += [did(at + 20 + k, at + 30 + k, "read", page=shown) for k in range(3)]
    history.append(read(4_000_050, 4_000_060, seen(40_000, 39_999)))
    started = time.process_time()
    verdict = check(history)
    assert time.process_time() - started < 60
    assert verdict.counts == {"stale": 1}


def test_a_history_is_the_same_after_it_was_written_and_read(tmp_path: Path) -> None:
    shown = page(seen(2, 1), covers=(None, 5))
    history = [CREATED, UNKNOWN_PATCH, did(31, 32, "list", page=shown)]
    history += [did(33, 34, "list", page=shown), MISSING]
    write_history(tmp_path / "history", history)
    again = read_history(tmp_path / "history")
    assert again == history
    assert again[2].page is again[3].page
