"""Storing made-up todos is bounded, complete and tidy."""

import asyncio
from random import Random

import pytest

from app.domain.todo import Todo
from app.seed import generate_todos, seed

NOW = 1_760_000_000.5


@pytest.fixture(scope="module")
def todos() -> list[Todo]:
    return list(generate_todos(1_300, owner="public", now=NOW, random=Random(7), run=1))


async def insert_at_once(batch):
    await asyncio.sleep(0)


async def insert_for_ever(batch, ended):
    try:
        await asyncio.Event().wait()
    finally:
        for _ in range(10):  # A real insert needs the loop for a while to clean up.
            await asyncio.sleep(0)
        ended.append(batch[0])


def run_seed(insert, todos, *, batch_size=10, progress=lambda stored: None, **options):
    """Return what seed() returns, within a deadline and with no task left behind."""

    async def main():
        seeding = seed(insert, iter(todos), batch_size=batch_size, progress=progress, **options)
        try:
            return await asyncio.wait_for(seeding, timeout=120)
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}

    return asyncio.run(main())


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (10, [10]), (25, [10, 10, 5])])
def test_all_todos_are_stored_once_in_batches(todos, count, sizes):
    batches = []

    async def insert(batch):
        await asyncio.sleep(0)
        batches.append(batch)

    assert run_seed(insert, todos[:count]) == count
    assert [len(batch) for batch in batches] == sizes
    assert [todo for batch in batches for todo in batch] == todos[:count]


def test_no_more_than_the_allowed_batches_are_in_flight_and_that_many_are(todos):
    in_flight, seen = [], []

    async def insert(batch):
        in_flight.append(batch)
        seen.append(len(in_flight))
        await asyncio.sleep(0)
        in_flight.remove(batch)

    run_seed(insert, todos[:200], concurrent_batches=4)
    assert max(seen) == 4


def test_a_batch_is_made_while_another_is_in_flight(todos):
    events = []

    def watched():
        for number, todo in enumerate(todos[:4]):
            events.append(f"made {number}")
            yield todo

    async def insert(batch):
        events.append("sent")
        await asyncio.sleep(0)
        events.append("stored")

    run_seed(insert, watched(), batch_size=2, concurrent_batches=2)
    assert events.index("sent") < events.index("made 2") < events.index("stored")


def test_progress_follows_storage_and_adds_up(todos):
    stored, reported = [], []

    async def insert(batch):
        await asyncio.sleep(0)
        stored.append(len(batch))

    def progress(number):
        reported.append(number)
        assert sum(reported) <= sum(stored)

    run_seed(insert, todos[:1_234], batch_size=100, progress=progress)
    assert (len(reported), sum(reported)) == (13, 1_234)


def test_the_first_failure_is_raised_and_ends_the_batches_in_flight(todos):
    ended = []

    async def insert(batch):
        if batch[0] == todos[10]:
            raise ConnectionError("the second batch failed")
        await insert_for_ever(batch, ended)

    with pytest.raises(ConnectionError, match="the second batch failed"):
        run_seed(insert, todos[:100], concurrent_batches=3)
    assert ended == [todos[0], todos[20]]


def test_a_failing_progress_report_is_raised(todos):
    def progress(stored):
        raise BrokenPipeError("the terminal is gone")

    with pytest.raises(BrokenPipeError):
        run_seed(insert_at_once, todos[:100], progress=progress)


def test_cancelling_ends_every_batch_before_it_returns(todos):
    ended = []

    async def main():
        started, all_started = [], asyncio.Event()

        async def insert(batch):
            started.append(batch)
            if len(started) == 3:
                all_started.set()
            await insert_for_ever(batch, ended)

        options = {"batch_size": 10, "progress": ended.append}
        seeding = asyncio.create_task(seed(insert, iter(todos[:100]), **options))
        await asyncio.wait_for(all_started.wait(), timeout=120)
        seeding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await seeding
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert len(ended) == 3
