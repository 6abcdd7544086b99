"""Redis's clock goes back, as its keys then show it: times in the future."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from proving import prove

from app.bootstrap import _SLACK_SECONDS
from app.cache.redis_scripts import LONGEST_MARK_SECONDS
from app.cache.redis_stamps import RedisStamps
from app.settings import TABLE

pytestmark = pytest.mark.gen_test

OpenStamps = Callable[..., Awaitable[RedisStamps]]
Settle = Callable[[RedisStamps], Awaitable[None]]

SCOPE = "public"
SHORT_SECONDS = 0.2
HOUR_MILLISECONDS = 3_600_000


async def milliseconds(stamps: RedisStamps) -> int:
    """Return Redis's time."""
    seconds, microseconds = await stamps._channel.call("TIME")
    return int(seconds) * 1000 + int(microseconds) // 1000


async def first_stamp(stamps: RedisStamps) -> str:
    """Return the stamp that a scope gets some time; the test's deadline ends it."""
    while (stamp := await prove(stamps, SCOPE)) is None:  # noqa: ASYNC110 - only Redis knows.
        await asyncio.sleep(SHORT_SECONDS / 10)
    return stamp


async def test_a_birth_in_the_future_begins_anew(open_stamps: OpenStamps) -> None:
    stamps = await open_stamps(mark_seconds=SHORT_SECONDS)
    born = stamps._keys(SCOPE)[2]
    await stamps._channel.call("SET", born, await milliseconds(stamps) + HOUR_MILLISECONDS)
    assert await prove(stamps, SCOPE) is None
    assert int(await stamps._channel.call("GET", born)) <= await milliseconds(stamps)
    await first_stamp(stamps)


async def test_a_mark_of_a_time_in_the_future_lasts_as_long_as_any_may_and_no_longer(
    open_stamps: OpenStamps, settle: Settle
) -> None:
    stamps = await open_stamps()
    await settle(stamps)
    marks = stamps._keys(SCOPE)[1]
    write = await stamps.mark([SCOPE])
    later = await milliseconds(stamps) + HOUR_MILLISECONDS
    await stamps._channel.call("HSET", marks, write.name, later)
    for _ in range(2):
        assert await prove(stamps, SCOPE) is None
        left = int(await stamps._channel.call("HGET", marks, write.name)) - await milliseconds(
            stamps
        )
        assert LONGEST_MARK_SECONDS - 30 < left / 1000 <= LONGEST_MARK_SECONDS
    await stamps.done([SCOPE], write)
    assert await prove(stamps, SCOPE) is not None


def test_no_process_marks_for_longer_than_is_known_to_all() -> None:
    most = TABLE["mongo_operation_seconds"].maximum
    assert most is not None
    assert most + _SLACK_SECONDS <= LONGEST_MARK_SECONDS


async def test_a_time_in_which_nothing_can_be_kept_is_told_once_and_its_end_once(
    open_stamps: OpenStamps,
    settle: Settle,
    expect_log: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    expect_log("nothing could be kept for ")
    caplog.set_level("INFO", "app.cache.redis_stamps")
    stamps = await open_stamps(unkept_seconds=SHORT_SECONDS)
    await settle(stamps)
    write = await stamps.mark([SCOPE])
    while not caplog.records:
        assert await prove(stamps, SCOPE) is None
        await asyncio.sleep(SHORT_SECONDS / 10)
    for _ in range(10):
        assert await prove(stamps, SCOPE) is None
    await stamps.done([SCOPE], write)
    for _ in range(3):
        assert await prove(stamps, SCOPE) is not None
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_a_short_time_in_which_nothing_can_be_kept_is_not_told(
    open_stamps: OpenStamps, settle: Settle
) -> None:
    stamps = await open_stamps()
    await settle(stamps)
    write = await stamps.mark([SCOPE])
    assert await prove(stamps, SCOPE) is None
    await stamps.done([SCOPE], write)
