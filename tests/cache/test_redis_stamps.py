"""Stamps of scopes in Redis, as several processes see them."""

from collections.abc import Awaitable, Callable

import pytest
from proving import prove

from app.cache.channel import RedisChannel
from app.cache.redis_stamps import RedisStamps
from app.services.freshness import OperationTime, Write

pytestmark = pytest.mark.gen_test

OpenStamps = Callable[..., Awaitable[RedisStamps]]
OpenChannel = Callable[..., Awaitable[RedisChannel]]
Settle = Callable[[RedisStamps], Awaitable[None]]

SCOPE = "public"
MARK_SECONDS = 60.0


@pytest.fixture
def two(
    io_loop: object, open_stamps: OpenStamps, settle: Settle
) -> Callable[[], Awaitable[tuple[RedisStamps, RedisStamps]]]:
    """Return a function that opens two processes on a Redis that has lost no mark."""

    async def open_two() -> tuple[RedisStamps, RedisStamps]:
        one, another = await open_stamps(), await open_stamps()
        await settle(one)
        return one, another

    return open_two


OpenTwo = Callable[[], Awaitable[tuple[RedisStamps, RedisStamps]]]


async def deadlines(stamps: RedisStamps, scope: str = SCOPE) -> dict[bytes, int]:
    """Return the open marks of a scope with the milliseconds that each has left."""
    _, marks, *_ = stamps._keys(scope)
    seconds, microseconds = await stamps._channel.call("TIME")
    now = int(seconds) * 1000 + int(microseconds) // 1000
    flat = await stamps._channel.call("HGETALL", marks)
    return {name: int(end) - now for name, end in zip(flat[::2], flat[1::2], strict=True)}


async def expire(stamps: RedisStamps, write: Write, scope: str = SCOPE) -> None:
    """Move a mark's deadline into the past."""
    await stamps._channel.call("HSET", stamps._keys(scope)[1], write.name, 1)


# --- Proofs


async def test_all_processes_prove_the_same_stamp_until_somebody_writes(two: OpenTwo) -> None:
    one, another = await two()
    stamp = await prove(one, SCOPE)
    assert stamp is not None
    assert await prove(another, SCOPE) == await prove(one, SCOPE) == stamp


async def test_scopes_have_stamps_of_their_own(two: OpenTwo) -> None:
    stamps, writer = await two()
    kept = await prove(stamps, "kept")
    assert kept != await prove(stamps, "written")
    await writer.mark(["written"])
    assert await prove(stamps, "written") is None
    assert await prove(stamps, "kept") == kept


# --- Writes


async def test_a_mark_ends_every_proof_at_once_and_everywhere(two: OpenTwo) -> None:
    one, another = await two()
    assert await prove(another, SCOPE) is not None
    await one.mark([SCOPE])
    assert await prove(another, SCOPE) is None
    assert await prove(one, SCOPE) is None


async def test_a_write_that_has_ended_leaves_a_stamp_that_never_was(two: OpenTwo) -> None:
    one, another = await two()
    seen = [await prove(one, SCOPE)]
    for writer in (one, another, one):
        write = await writer.mark([SCOPE])
        await writer.done([SCOPE], write)
        seen.append(await prove(another, SCOPE))
    assert None not in seen
    assert len(set(seen)) == len(seen)


async def test_the_first_of_two_writers_to_end_does_not_reopen(two: OpenTwo) -> None:
    one, another = await two()
    first, second = await one.mark([SCOPE]), await another.mark([SCOPE])
    await one.done([SCOPE], first)
    assert await prove(one, SCOPE) is None
    await another.done([SCOPE], second)
    assert await prove(one, SCOPE) is not None


async def test_a_write_marks_all_its_scopes(two: OpenTwo) -> None:
    one, another = await two()
    write = await one.mark(["a", "b"])
    assert [await prove(another, scope) for scope in "abc"][:2] == [None, None]
    await one.done(["a", "b"], write)
    assert None not in [await prove(another, scope) for scope in "abc"]


async def test_a_mark_counts_for_as_long_as_a_write_may_take(two: OpenTwo) -> None:
    one, another = await two()
    write = await one.mark([SCOPE])
    left = (await deadlines(one))[write.name.encode()]
    assert MARK_SECONDS - 5 < left / 1000 <= MARK_SECONDS
    await expire(one, write)
    assert await prove(another, SCOPE) is not None
    assert not await deadlines(one)


async def test_a_mark_that_has_passed_does_not_take_an_open_one_with_it(two: OpenTwo) -> None:
    one, another = await two()
    dead, alive = await one.mark([SCOPE]), await another.mark([SCOPE])
    await expire(one, dead)
    assert await prove(one, SCOPE) is None
    assert list(await deadlines(one)) == [alive.name.encode()]


async def test_a_write_that_ends_after_its_deadline_ends_the_stamp_given_meanwhile(
    two: OpenTwo,
) -> None:
    one, another = await two()
    write = await one.mark([SCOPE])
    await expire(one, write)
    meanwhile = await prove(another, SCOPE)
    await one.done([SCOPE], write)
    assert await prove(another, SCOPE) not in (None, meanwhile)


# --- The operation time


async def test_the_time_of_a_write_is_told_to_who_must_ask_the_database(two: OpenTwo) -> None:
    writer, reader = await two()
    writer._operation_time.hear_of(7 << 32 | 5)
    open_write, ended = await writer.mark([SCOPE]), await writer.mark([SCOPE])
    await writer.done([SCOPE], ended)
    assert await prove(reader, SCOPE) is None
    assert reader._operation_time.newest == 7 << 32 | 5
    await writer.done([SCOPE], open_write)


async def test_the_time_of_a_write_is_told_with_the_stamp_that_came_after_it(two: OpenTwo) -> None:
    writer, reader = await two()
    writer._operation_time.hear_of(7 << 32 | 5)
    await writer.done([SCOPE], await writer.mark([SCOPE]))
    assert await prove(writer, SCOPE) is not None
    assert await prove(reader, SCOPE) is not None
    assert reader._operation_time.newest == 7 << 32 | 5


@pytest.mark.parametrize(
    ("first", "second"),
    [(9, 10), (10, 9), (2**53, 2**53 + 1), (2**53 + 1, 2**53), (2**63 - 1, 1)],
)
async def test_only_the_newest_time_is_told(
    open_stamps: OpenStamps, settle: Settle, first: int, second: int
) -> None:
    for time in (first, second):
        operation_time = OperationTime()
        operation_time.hear_of(time)
        writer = await open_stamps(operation_time=operation_time)
        await writer.done([SCOPE], await writer.mark([SCOPE]))
    reader = await open_stamps()
    await prove(reader, "never proved before")
    assert reader._operation_time.newest == max(first, second)


async def test_a_process_that_knows_a_newer_time_keeps_it(two: OpenTwo) -> None:
    writer, reader = await two()
    writer._operation_time.hear_of(7)
    await writer.done([SCOPE], await writer.mark([SCOPE]))
    reader._operation_time.hear_of(8)
    await prove(reader, "never proved before")
    assert reader._operation_time.newest == 8
