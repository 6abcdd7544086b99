"""Group commit: creates that share a write."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from gate import turn_loop
from http_serving import until
from write_ledger import Ledger, make_creates, start, todo

from app.errors import StorageOverloaded, StorageUnavailable
from app.metrics import Metrics
from app.services.writing import LATEST_SECONDS, Creates

pytestmark = pytest.mark.gen_test

MOST_TODOS = 1000
WAITING_LIMIT = 5000


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def creates(ledger: Ledger, metrics: Metrics) -> Creates:
    return make_creates(ledger, metrics, WAITING_LIMIT)


# --- Sharing a write


async def test_one_alone_is_written_at_once(ledger: Ledger, creates: Creates) -> None:
    (task,) = await start(creates, todo("a"))
    assert ledger.told == ["mark public", "write a"]
    ledger.end()
    await task
    (task,) = await start(creates, todo("b"))
    assert [names for names, _ in ledger.writes] == [["a"], ["b"]]
    ledger.end()
    await task


async def test_those_that_come_while_a_write_is_under_way_share_the_next_in_their_order(
    ledger: Ledger, creates: Creates
) -> None:
    tasks = await start(creates, todo("a"))
    tasks += await start(creates, todo("b"), todo("c"))
    tasks += await start(creates, todo("d"))
    assert [names for names, _ in ledger.writes] == [["a"]]
    ledger.end()
    await turn_loop()
    assert [names for names, _ in ledger.writes] == [["a"], ["b", "c", "d"]]
    assert [task.done() for task in tasks] == [True, False, False, False]
    ledger.end()
    await asyncio.gather(*tasks)


async def test_the_next_write_does_not_wait_until_the_end_of_the_one_before_is_told(
    ledger: Ledger, creates: Creates
) -> None:
    ledger.may_be_done.clear()
    tasks = await start(creates, todo("a"))
    tasks += await start(creates, todo("b"))
    ledger.end()
    await turn_loop()
    assert ledger.told == ["mark public", "write a", "mark public", "write b"]
    ledger.end()
    await turn_loop()
    assert not any(task.done() for task in tasks)
    ledger.may_be_done.set()
    await asyncio.gather(*tasks)


async def test_a_write_has_a_thousand_todos_at_most(ledger: Ledger, creates: Creates) -> None:
    tasks = await start(creates, todo("first"))
    tasks += await start(creates, *(todo(f"{number}") for number in range(2 * MOST_TODOS + 1)))
    while not all(task.done() for task in tasks):
        ledger.end()
        await turn_loop()
    assert [len(names) for names, _ in ledger.writes] == [1, MOST_TODOS, MOST_TODOS, 1]
    written = [name for names, _ in ledger.writes[1:] for name in names]
    assert written == [f"{number}" for number in range(2 * MOST_TODOS + 1)]


async def test_the_sizes_of_writes_are_counted(
    ledger: Ledger, creates: Creates, metrics: Metrics
) -> None:
    tasks = await start(creates, todo("a"))
    tasks += await start(creates, todo("b"), todo("c"))
    for _ in range(2):
        ledger.end()
        await turn_loop()
    await asyncio.gather(*tasks)
    rendered = metrics.render().decode()
    assert "todo_create_batch_todos_count 2.0\n" in rendered
    assert "todo_create_batch_todos_sum 3.0\n" in rendered


# --- Each has its own answer


async def test_a_todo_that_is_refused_fails_alone(ledger: Ledger, creates: Creates) -> None:
    tasks = await start(creates, todo("before"))
    tasks += await start(creates, todo("good"), todo("bad"), todo("too"))
    ledger.end()
    await turn_loop()
    ledger.end({"bad": ValueError("duplicate")})
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert [None, None, told[2], None] == told
    assert isinstance(told[2], ValueError)
    assert ledger.told[-1] == "done public"


@pytest.mark.parametrize(
    "error", [StorageUnavailable("no answer"), StorageOverloaded("full"), RuntimeError("a fault")]
)
async def test_a_write_that_fails_is_told_to_all_who_wait_for_it_and_to_nobody_else(
    ledger: Ledger, creates: Creates, error: Exception
) -> None:
    first = await start(creates, todo("a"))
    second = await start(creates, todo("b"), todo("c"))
    ledger.end()
    await turn_loop()
    third = await start(creates, todo("d"))
    ledger.fail(error)
    await turn_loop()
    ledger.end()
    told = [await asyncio.gather(*some, return_exceptions=True) for some in (first, second, third)]
    assert told[0] == told[2] == [None]
    assert [(type(failure), str(failure)) for failure in told[1]] == [(type(error), str(error))] * 2


async def test_each_is_told_of_an_unknown_outcome_by_an_error_of_its_own(
    ledger: Ledger, creates: Creates
) -> None:
    tasks = await start(creates, todo("a"))
    tasks += await start(creates, todo("b"), todo("c"))
    ledger.end()
    await turn_loop()
    ledger.fail(StorageUnavailable("no answer"))
    _, one, another = await asyncio.gather(*tasks, return_exceptions=True)
    assert one is not another


async def test_who_is_cancelled_takes_the_answer_from_nobody(
    ledger: Ledger, creates: Creates
) -> None:
    tasks = await start(creates, todo("a"))
    tasks += await start(creates, todo("b"), todo("c"))
    for gone in (tasks[0], tasks[1]):
        gone.cancel()
    await turn_loop()
    for _ in range(2):
        ledger.end()
        await turn_loop()
    assert await tasks[2] is None
    # It was accepted before its caller left.
    assert ledger.writes[1][0] == ["b", "c"]


async def test_above_the_limit_of_those_who_wait_one_more_is_refused_and_not_written(
    ledger: Ledger, metrics: Metrics
) -> None:
    creates = make_creates(ledger, metrics, 2)
    tasks = await start(creates, todo("a"))
    tasks += await start(creates, todo("b"), todo("c"))
    with pytest.raises(StorageOverloaded, match="2 new todos wait"):
        await creates.add(todo("d"))
    for _ in range(2):
        ledger.end()
        await turn_loop()
    await asyncio.gather(*tasks)
    (task,) = await start(creates, todo("e"))
    ledger.end()
    await task
    assert [names for names, _ in ledger.writes] == [["a"], ["b", "c"], ["e"]]


async def test_those_whose_announcement_hangs_count_as_waiting(
    ledger: Ledger, metrics: Metrics
) -> None:
    creates = make_creates(ledger, metrics, 3, patience_seconds=0.001)
    ledger.may_be_marked.clear()
    tasks = [creates.add(todo(name)) for name in "ab"]
    await until(lambda: creates._gathering is None)
    tasks.append(creates.add(todo("c")))
    with pytest.raises(StorageOverloaded):
        await creates.add(todo("d"))
    ledger.may_be_marked.set()
    await until(lambda: len(ledger.writes) == 2)
    for _, ended in ledger.writes:
        ended.set_result([None] * 2 if ended is ledger.writes[0][1] else [None])
    await asyncio.gather(*tasks)
    assert creates._unbegun == 0


async def test_what_cannot_begin_long_after_it_was_announced_is_not_written(
    ledger: Ledger, creates: Creates, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = await start(creates, todo("a"))
    (late,) = await start(creates, todo("b"))
    # As for a process that was stopped here.
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "time", partial(_ahead, loop.time))
    ledger.end()
    await first
    with pytest.raises(StorageOverloaded, match="stood still"):
        await late
    assert [names for names, _ in ledger.writes] == [["a"]]
    assert ledger.told.count("done public") == 2


def _ahead(time: Callable[[], float]) -> float:
    return time() + 2 * LATEST_SECONDS


# --- Announcing


async def test_no_create_is_acknowledged_before_its_end_was_told(
    ledger: Ledger, creates: Creates
) -> None:
    ledger.may_be_done.clear()
    tasks = await start(creates, todo("a"))
    ledger.end()
    await turn_loop()
    assert not tasks[0].done()
    ledger.may_be_done.set()
    await tasks[0]
    assert ledger.told == ["mark public", "write a", "done public"]


async def test_every_owner_in_a_write_is_announced_once(ledger: Ledger, creates: Creates) -> None:
    tasks = await start(creates, todo("a"))
    tasks += await start(creates, todo("b", "y"), todo("c", "x"), todo("d", "y"))
    for _ in range(2):
        ledger.end()
        await turn_loop()
    await asyncio.gather(*tasks)
    assert [told for told in ledger.told if "public" not in told] == [
        *("write a", "mark x y", "write b c d", "done x y"),
    ]


async def test_who_comes_while_a_write_waits_its_turn_joins_it_if_the_owner_is_announced(
    ledger: Ledger, creates: Creates
) -> None:
    tasks = await start(creates, todo("a"))
    tasks += await start(creates, todo("b", "x"))
    tasks += await start(creates, todo("c", "y"), todo("d", "x"))
    for _ in range(3):
        ledger.end()
        await turn_loop()
    await asyncio.gather(*tasks)
    assert [names for names, _ in ledger.writes] == [["a"], ["b", "d"], ["c"]]
    assert ledger.told.index("mark y") < ledger.told.index("write c")


async def test_what_cannot_be_announced_is_not_written(ledger: Ledger, creates: Creates) -> None:
    ledger.mark_error = StorageUnavailable("Redis does not answer")
    with pytest.raises(StorageUnavailable):
        await creates.add(todo("a"))
    assert ledger.writes == []
    ledger.mark_error = None
    (task,) = await start(creates, todo("b"))
    ledger.end()
    await task


async def test_a_write_whose_end_could_not_be_told_is_not_acknowledged(
    ledger: Ledger, creates: Creates
) -> None:
    ledger.done_error = StorageUnavailable("Redis does not answer")
    tasks = await start(creates, todo("a"))
    ledger.end()
    with pytest.raises(StorageUnavailable):
        await tasks[0]


async def test_behind_a_write_that_hangs_the_next_begins_when_patience_ends(
    ledger: Ledger, metrics: Metrics
) -> None:
    creates = make_creates(ledger, metrics, WAITING_LIMIT, patience_seconds=0.001)
    (hanging,) = await start(creates, todo("a"))
    (later,) = await start(creates, todo("b"))
    await until(lambda: len(ledger.writes) == 2)
    ledger.end()
    await later
    assert not hanging.done()
    ledger.writes[0][1].set_result([None])
    await hanging
