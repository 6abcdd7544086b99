"""Reading through several processes that share what they keep in Redis."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from gate import turn_loop
from held_database import SCOPE, Broken, Database, find, make_reads, read, write
from http_serving import until
from own_redis import OwnRedis
from proving import prove

from app.cache.bodies import Bodies
from app.cache.reads import Reads
from app.cache.redis_stamps import RedisStamps
from app.metrics import Metrics
from app.services.freshness import Level, Source

pytestmark = pytest.mark.gen_test

READERS = 500
AT_ONCE_SECONDS = 60.0
"""A tenth of a lease, which is long here: who takes longer has waited for its end."""

OpenBodies = Callable[..., Awaitable[Bodies[str]]]
Settle = Callable[[RedisStamps], Awaitable[None]]
OpenTwo = Callable[[], Awaitable[tuple[Reads[str], Reads[str]]]]


@pytest.fixture
def two(open_bodies: OpenBodies, settle: Settle) -> OpenTwo:
    """Return a function that opens the reading sides of two processes."""

    async def open_two() -> tuple[Reads[str], Reads[str]]:
        one, another = await open_bodies(), await open_bodies()
        await settle(one._stamps)
        return tuple(make_reads(bodies._stamps, Metrics(), bodies) for bodies in (one, another))

    return open_two


async def test_all_readers_of_all_processes_cost_one_load(
    two: OpenTwo, source: Source[str], database: Database
) -> None:
    processes = await two()
    tasks = [
        asyncio.create_task(read(reads, source)) for reads in processes for _ in range(READERS)
    ]
    await until(lambda: bool(database.loads))
    database.end()
    assert await asyncio.gather(*tasks) == ["first"] * 2 * READERS
    assert len(database.loads) == 1


async def test_what_one_process_has_read_the_other_finds_in_redis_and_then_in_itself(
    two: OpenTwo, source: Source[str], database: Database
) -> None:
    one, another = await two()
    database.is_held = False
    levels = [(await find(reads, source)).level for reads in (one, one, another, another)]
    assert levels == [Level.STORED, Level.PROCESS, Level.REDIS, Level.PROCESS]


async def test_a_write_through_one_process_is_seen_by_the_next_read_through_any(
    two: OpenTwo, source: Source[str], database: Database
) -> None:
    processes = await two()
    database.is_held = False
    for number, writer in enumerate((*processes, *processes)):
        await write(writer._stamps, database, f"text {number}")
        for reads in processes:
            assert await read(reads, source) == f"text {number}"


async def test_a_load_that_ends_after_a_write_is_given_to_no_process(
    two: OpenTwo, source: Source[str], database: Database
) -> None:
    one, another = await two()
    early = asyncio.create_task(read(one, source))
    await until(lambda: bool(database.loads))
    await write(another._stamps, database, "second")
    database.end()
    assert await early == "first"
    database.is_held = False
    assert await read(one, source) == await read(another, source) == "second"


async def test_a_load_that_fails_lets_the_other_process_load_at_once(
    two: OpenTwo, source: Source[str], database: Database
) -> None:
    one, another = await two()
    first = asyncio.create_task(read(one, source))
    await until(lambda: bool(database.loads))
    second = asyncio.create_task(read(another, source))
    await turn_loop()
    database.fail()
    with pytest.raises(Broken):
        await first
    async with asyncio.timeout(AT_ONCE_SECONDS):
        await until(lambda: len(database.loads) == 2)
    database.end()
    assert await second == "first"


async def test_while_somebody_writes_both_processes_ask_the_database(
    two: OpenTwo, source: Source[str], database: Database
) -> None:
    one, another = await two()
    database.is_held = False
    await read(one, source)
    await another._stamps.mark([SCOPE])
    database.text = "second"
    for reads in (one, another, one):
        found = await find(reads, source)
        assert (found.body, found.level) == ("second", Level.BYPASS)


async def test_nothing_is_kept_that_was_read_without_hearing_of_the_newest_write(
    open_bodies: OpenBodies,
    settle: Settle,
    own_redis: OwnRedis,
    source: Source[str],
    database: Database,
    expect_log: Callable[[str], None],
) -> None:
    expect_log("the connection is lost")
    one, another = [await open_bodies(own_redis.url) for _ in range(2)]
    await settle(one._stamps)
    one._operation_time.hear_of(7 << 32)
    await write(one._stamps, database, "second")
    reads = make_reads(another._stamps, Metrics(), another)
    stamp = await prove(reads, SCOPE)
    await another._channel.call("SCRIPT", "FLUSH")  # So that the claim is not answered.
    database.is_held = False
    await reads.read_on(source, stamp)
    # A primary of yesterday may have answered that, and the stamp lives on.
    is_kept = reads.recall(source, stamp) is not None
    assert not is_kept or another._operation_time.newest == 7 << 32
