"""Reading through the cache: as few loads as can be, and never one that is too old."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from gate import turn_loop
from held_database import SCOPE, Broken, Database, find, make_reads, read, start, write
from proving import put

from app.cache.local_stamps import LocalStamps
from app.cache.reads import Reads
from app.cache.redis_stamps import RedisStamps
from app.metrics import Metrics
from app.services.freshness import Found, Level, OneAsker, Source

pytestmark = pytest.mark.gen_test

READERS = 1000


async def test_a_thousand_readers_of_what_is_not_kept_yet_cost_one_load(
    reads: Reads[str], source: Source[str], database: Database
) -> None:
    tasks = await start(reads, source, READERS)
    assert len(database.loads) == 1
    database.end()
    assert await asyncio.gather(*tasks) == ["first"] * READERS
    assert len(database.loads) == 1


async def test_what_was_read_is_kept_until_somebody_writes(
    reads: Reads[str], stamps: LocalStamps, source: Source[str], database: Database
) -> None:
    database.is_held = False
    for _ in range(3):
        assert await read(reads, source) == "first"
    assert len(database.loads) == 1
    await write(stamps, database, "second")
    for _ in range(3):
        assert await read(reads, source) == "second"
    assert len(database.loads) == 2


async def test_a_load_is_told_the_stamp_that_was_proved_before_it(
    reads: Reads[str], stamps: LocalStamps
) -> None:
    told: list[str | None] = []

    async def load(stamp: str | None) -> str:
        told.append(stamp)
        return "first"

    source = Source(SCOPE, "page", load)
    asker = OneAsker()
    stamps.prove(SCOPE, asker)
    stamp = await asker.stamp
    assert stamp is not None
    await read(reads, source)
    await stamps.mark([SCOPE])
    await read(reads, source)
    assert told == [stamp, None]


async def test_another_key_is_another_load(
    reads: Reads[str], source: Source[str], database: Database
) -> None:
    tasks = [*await start(reads, source), *await start(reads, source._replace(key="another"))]
    assert len(database.loads) == 2
    database.end(0)
    database.end(1)
    await asyncio.gather(*tasks)


async def test_who_reads_after_a_write_does_not_join_a_load_from_before(
    reads: Reads[str], stamps: LocalStamps, source: Source[str], database: Database
) -> None:
    early = await start(reads, source)
    await write(stamps, database, "second")
    late = await start(reads, source)
    assert len(database.loads) == 2
    database.end(1)
    assert await asyncio.gather(*late) == ["second"]
    database.end(0)
    assert await asyncio.gather(*early) == ["first"]
    # What came last is not what is kept.
    assert await read(reads, source) == "second"


async def test_a_load_that_ends_after_a_write_is_not_kept(
    reads: Reads[str], stamps: LocalStamps, source: Source[str], database: Database
) -> None:
    early = await start(reads, source)
    await write(stamps, database, "second")
    database.end()
    await asyncio.gather(*early)
    database.is_held = False
    assert await read(reads, source) == "second"


async def test_a_load_that_fails_fails_all_its_readers_and_is_not_kept(
    reads: Reads[str], source: Source[str], database: Database
) -> None:
    tasks = await start(reads, source, 3)
    database.fail()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(error) for error in told] == [Broken] * 3
    database.is_held = False
    assert await read(reads, source) == "first"


@pytest.mark.parametrize("who", [0, 1])
async def test_a_reader_who_is_cancelled_takes_the_load_from_nobody(
    reads: Reads[str], source: Source[str], database: Database, who: int
) -> None:
    tasks = await start(reads, source, 3)
    cancelled = tasks.pop(who)
    cancelled.cancel()
    await turn_loop()
    assert cancelled.cancelled()
    database.end()
    assert await asyncio.gather(*tasks) == ["first"] * 2
    assert len(database.loads) == 1


async def test_a_load_whose_only_reader_was_cancelled_is_kept_for_the_next(
    reads: Reads[str], source: Source[str], database: Database
) -> None:
    (only,) = await start(reads, source)
    only.cancel()
    await turn_loop()
    database.end()
    assert await read(reads, source) == "first"
    assert len(database.loads) == 1


async def test_a_reader_who_is_cancelled_takes_the_proof_from_nobody(
    open_stamps: Callable[..., Awaitable[RedisStamps]],
    settle: Callable[[RedisStamps], Awaitable[None]],
    metrics: Metrics,
    source: Source[str],
    database: Database,
) -> None:
    stamps = await open_stamps()
    await settle(stamps)
    reads = make_reads(stamps, metrics)
    database.is_held = False
    first, second = (asyncio.create_task(read(reads, source)) for _ in range(2))
    await put(stamps, SCOPE)
    first.cancel()
    assert await second == "first"
    assert first.cancelled()


async def test_a_read_tells_where_it_was_found_and_is_counted_there(
    reads: Reads[str],
    stamps: LocalStamps,
    source: Source[str],
    database: Database,
    metrics: Metrics,
) -> None:
    database.is_held = False
    found = [await find(reads, source) for _ in range(3)]
    await stamps.mark([SCOPE])
    found.append(await find(reads, source))
    levels = (Level.STORED, Level.PROCESS, Level.PROCESS, Level.BYPASS)
    assert found == [Found("first", level) for level in levels]
    assert metrics._cache.counts == {
        ("answers", "miss"): 1,
        ("storage", "fill"): 1,
        ("answers", "hit"): 2,
        ("answers", "bypass"): 1,
    }
