"""Reading while somebody writes, when nothing may be kept; and what reads leave behind."""

import asyncio
import gc

import pytest
from gate import turn_loop
from held_database import SCOPE, Broken, Database, find, make_reads, read, start
from http_serving import until

from app.cache.local_stamps import LocalStamps
from app.cache.reads import Reads
from app.metrics import Metrics
from app.services.freshness import Source

pytestmark = pytest.mark.gen_test

READERS = 1000


async def test_while_somebody_writes_who_asks_during_a_load_gets_the_next_one(
    reads: Reads[str], stamps: LocalStamps, source: Source[str], database: Database
) -> None:
    await stamps.mark([SCOPE])
    early = await start(reads, source)
    database.text = "second"
    late = await start(reads, source, READERS)
    assert len(database.loads) == 1
    database.end()
    await turn_loop()
    assert len(database.loads) == 2
    database.text = "third"
    latest = await start(reads, source, READERS)
    database.end()
    await turn_loop()
    database.end()
    assert await asyncio.gather(*early) == ["first"]
    assert await asyncio.gather(*late) == ["second"] * READERS
    assert await asyncio.gather(*latest) == ["third"] * READERS
    assert len(database.loads) == 3


async def test_while_somebody_writes_nothing_is_given_that_was_kept_and_nothing_is_kept(
    reads: Reads[str], stamps: LocalStamps, source: Source[str], database: Database
) -> None:
    database.is_held = False
    await find(reads, source)
    announced = await stamps.mark([SCOPE])
    database.text = "second"
    assert await read(reads, source) == "second"
    database.text = "third"
    assert await read(reads, source) == "third"
    await stamps.done([SCOPE], announced)
    database.text = "fourth"
    assert await read(reads, source) == "fourth"


async def test_without_a_stamp_a_failed_load_fails_its_own_readers_alone(
    reads: Reads[str], stamps: LocalStamps, source: Source[str], database: Database
) -> None:
    await stamps.mark([SCOPE])
    first = await start(reads, source)
    second = await start(reads, source, 3)
    database.fail()
    await turn_loop()
    third = await start(reads, source, 3)
    database.fail()
    await turn_loop()
    database.end()
    told = [
        await asyncio.gather(*tasks, return_exceptions=True) for tasks in (first, second, third)
    ]
    assert [type(error) for error in told[0] + told[1]] == [Broken] * 4
    assert told[2] == ["first"] * 3


@pytest.mark.parametrize("who", [0, 1])
async def test_without_a_stamp_a_reader_who_is_cancelled_takes_the_load_from_nobody(
    reads: Reads[str], stamps: LocalStamps, source: Source[str], database: Database, who: int
) -> None:
    await stamps.mark([SCOPE])
    tasks = [*await start(reads, source), *await start(reads, source, 2)]
    tasks.pop(who).cancel()
    await turn_loop()
    database.end(0)
    await turn_loop()
    database.end(1)
    assert await asyncio.gather(*tasks) == ["first"] * 2
    assert len(database.loads) == 2


@pytest.mark.parametrize("is_written", [False, True])
async def test_nothing_is_left_of_reads_that_have_ended(
    reads: Reads[str],
    stamps: LocalStamps,
    source: Source[str],
    database: Database,
    *,
    is_written: bool,
) -> None:
    if is_written:
        await stamps.mark([SCOPE])
    for end in (database.end, database.fail):
        tasks = await start(reads, source, 3)
        while not all(task.done() for task in tasks):
            end()
            await turn_loop()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert reads._fills == {}
    assert reads._loads == {}


@pytest.mark.parametrize("is_written", [False, True])
async def test_a_load_that_fails_when_its_readers_have_gone_is_no_fault_in_the_log(
    reads: Reads[str],
    stamps: LocalStamps,
    source: Source[str],
    database: Database,
    caplog: pytest.LogCaptureFixture,
    *,
    is_written: bool,
) -> None:
    if is_written:
        await stamps.mark([SCOPE])
    (only,) = await start(reads, source)
    only.cancel()
    await turn_loop()
    del only  # Its traceback holds the load.
    database.fail()
    await turn_loop()
    gc.collect()
    assert not caplog.records


async def test_behind_a_load_that_hangs_the_next_begins_when_patience_ends(
    stamps: LocalStamps, metrics: Metrics, source: Source[str], database: Database
) -> None:
    reads = make_reads(stamps, metrics, patience_seconds=0.001)
    await stamps.mark([SCOPE])
    (hanging,) = await start(reads, source)
    database.text = "second"
    (later,) = await start(reads, source)
    await until(lambda: len(database.loads) == 2)
    database.end(1)
    assert await later == "second"
    assert not hanging.done()
    database.end(0)
    assert await hanging == "first"
