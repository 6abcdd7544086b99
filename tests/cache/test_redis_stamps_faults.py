"""Stamps when Redis is away, young, emptied or started again."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from time import perf_counter

import pytest
from alarm import Alarm
from http_serving import until
from own_redis import OwnRedis
from proving import prove, put

from app.cache.channel import RedisChannel
from app.cache.redis_stamps import RedisStamps
from app.errors import StorageUnavailable
from app.services.freshness import Write

pytestmark = pytest.mark.gen_test

OpenChannel = Callable[..., Awaitable[RedisChannel]]
OpenStamps = Callable[..., Awaitable[RedisStamps]]
Settle = Callable[[RedisStamps], Awaitable[None]]
ExpectLog = Callable[[str], None]

SCOPE = "public"
MARK_SECONDS = 60.0
PATIENCE_SECONDS = 0.3
TIMEOUT_SECONDS = 0.5
MARGIN_SECONDS = 0.5
AT_ONCE_SECONDS = 30.0
"""Less than the timeout of a channel, by default."""
REFUSING = "answering 503 to writes, which Redis must hear of"


@pytest.fixture
def told_away(expect_log: ExpectLog) -> None:
    expect_log("Redis is away")


@pytest.fixture
def told_lost(expect_log: ExpectLog) -> None:
    expect_log("the connection is lost")


async def age(stamps: RedisStamps, seconds: float) -> None:
    """Make Redis say that it has served for so long."""
    now, _ = await stamps._channel.call("TIME")
    born = stamps._keys(SCOPE)[2]
    assert await stamps._channel.call("SET", born, round((int(now) - seconds) * 1000), "XX")


async def is_up_anew(stamps: RedisStamps, prefix: str) -> None:
    channel = stamps._channel
    await until(lambda: channel.is_up and channel.prefix != prefix)


# --- Quarantine


async def test_a_young_redis_proves_nothing_until_all_writes_it_may_not_know_have_ended(
    open_stamps: OpenStamps,
) -> None:
    stamps = await open_stamps()
    assert await prove(stamps, SCOPE) is None
    await age(stamps, MARK_SECONDS - 5)
    assert await prove(stamps, SCOPE) is None
    await age(stamps, MARK_SECONDS + 1)
    assert await prove(stamps, SCOPE) is not None


async def test_a_write_in_a_young_redis_opens_nothing(open_stamps: OpenStamps) -> None:
    stamps = await open_stamps()
    await stamps.done([SCOPE], await stamps.mark([SCOPE]))
    assert await prove(stamps, SCOPE) is None


async def test_an_emptied_redis_is_young_again(
    open_stamps: OpenStamps, settle: Settle, own_redis: OwnRedis
) -> None:
    stamps = await open_stamps(own_redis.url)
    await settle(stamps)
    before = await prove(stamps, SCOPE)
    write = await stamps.mark([SCOPE])
    await stamps._channel.call("FLUSHALL")
    assert await prove(stamps, SCOPE) is None
    await stamps.done([SCOPE], write)
    assert await prove(stamps, SCOPE) is None
    await age(stamps, MARK_SECONDS + 1)
    assert await prove(stamps, SCOPE) not in (None, before)


async def test_a_redis_that_was_started_again_is_young_again(
    open_stamps: OpenStamps, settle: Settle, own_redis: OwnRedis, told_lost: None
) -> None:
    stamps = await open_stamps(own_redis.url)
    await settle(stamps)
    before, prefix = await prove(stamps, SCOPE), stamps._channel.prefix
    own_redis.kill()
    own_redis.start()
    await is_up_anew(stamps, prefix)
    assert await prove(stamps, SCOPE) is None
    await age(stamps, MARK_SECONDS + 1)
    assert await prove(stamps, SCOPE) not in (None, before)


async def test_what_a_restarted_redis_has_loaded_from_its_disk_is_not_believed(
    open_stamps: OpenStamps, settle: Settle, own_redis: OwnRedis, told_lost: None
) -> None:
    stamps = await open_stamps(own_redis.url)
    await settle(stamps)
    assert await prove(stamps, SCOPE) is not None
    prefix = stamps._channel.prefix
    await stamps._channel.call("SAVE")
    own_redis.kill()
    own_redis.start()
    await is_up_anew(stamps, prefix)
    assert await stamps._channel.call("DBSIZE") > 0
    assert await prove(stamps, SCOPE) is None


# --- Redis away


async def test_nothing_is_proved_while_redis_is_away(
    open_stamps: OpenStamps, own_redis: OwnRedis, told_away: None
) -> None:
    own_redis.kill()
    stamps = await open_stamps(own_redis.url)
    assert await asyncio.gather(*(prove(stamps, scope) for scope in "abc")) == [None] * 3


async def test_proofs_that_are_under_way_when_redis_dies_come_to_nothing(
    open_stamps: OpenStamps, settle: Settle, own_redis: OwnRedis, expect_log: ExpectLog
) -> None:
    expect_log("Redis")
    stamps = await open_stamps(own_redis.url)
    await settle(stamps)
    assert await prove(stamps, SCOPE) is not None
    own_redis.send(signal.SIGSTOP)
    proofs = [prove(stamps, scope) for scope in (SCOPE, "another")]
    await put(stamps, SCOPE)
    own_redis.kill()
    assert await asyncio.gather(*proofs) == [None, None]


async def test_who_waits_for_the_next_question_when_redis_dies_is_told_at_once_too(
    open_stamps: OpenStamps, own_redis: OwnRedis, expect_log: ExpectLog
) -> None:
    expect_log("Redis")
    stamps = await open_stamps(own_redis.url)
    own_redis.send(signal.SIGSTOP)
    early = prove(stamps, SCOPE)
    await put(stamps, SCOPE)
    late = prove(stamps, SCOPE)
    own_redis.kill()
    assert await early is None
    async with asyncio.timeout(AT_ONCE_SECONDS):
        assert await late is None


async def test_a_question_that_is_never_answered_ends_in_time_for_all_who_wait(
    open_stamps: OpenStamps, open_channel: OpenChannel, own_redis: OwnRedis, told_lost: None
) -> None:
    channel = await open_channel(own_redis.url, timeout_seconds=TIMEOUT_SECONDS)
    stamps = await open_stamps(channel=channel)
    async with own_redis.frozen():
        started, alarm = perf_counter(), Alarm(TIMEOUT_SECONDS + MARGIN_SECONDS)
        early = prove(stamps, SCOPE)
        await put(stamps, SCOPE)
        late = [prove(stamps, scope) for scope in (SCOPE, "another")]
        assert await asyncio.gather(early, *late) == [None] * 3
        assert perf_counter() - started >= TIMEOUT_SECONDS
        assert not alarm.has_rung


async def test_after_a_question_that_was_never_answered_the_next_ones_are(
    open_stamps: OpenStamps,
    open_channel: OpenChannel,
    settle: Settle,
    own_redis: OwnRedis,
    told_lost: None,
) -> None:
    channel = await open_channel(own_redis.url, timeout_seconds=TIMEOUT_SECONDS)
    stamps = await open_stamps(channel=channel)
    await settle(stamps)
    async with own_redis.frozen():
        assert await prove(stamps, SCOPE) is None
    await until(lambda: channel.is_up)
    assert await prove(stamps, SCOPE) is not None
    assert await prove(stamps, SCOPE) is not None


@pytest.mark.parametrize("step", ["mark", "done"])
async def test_a_write_waits_for_redis_and_not_for_ever(
    open_stamps: OpenStamps, own_redis: OwnRedis, step: str, told_away: None, expect_log: ExpectLog
) -> None:
    expect_log(REFUSING)
    own_redis.kill()
    stamps = await open_stamps(own_redis.url, patience_seconds=PATIENCE_SECONDS)
    started, alarm = perf_counter(), Alarm(PATIENCE_SECONDS + MARGIN_SECONDS)
    with pytest.raises(StorageUnavailable, match="Redis does not answer"):
        await (stamps.mark([SCOPE]) if step == "mark" else stamps.done([SCOPE], Write("write")))
    assert perf_counter() - started >= PATIENCE_SECONDS
    assert not alarm.has_rung


async def test_a_write_that_had_to_wait_before_waits_the_less_after(
    open_stamps: OpenStamps, own_redis: OwnRedis, told_away: None, expect_log: ExpectLog
) -> None:
    expect_log(REFUSING)
    own_redis.kill()
    stamps = await open_stamps(own_redis.url, patience_seconds=PATIENCE_SECONDS)
    for waited, left in ((PATIENCE_SECONDS / 2, PATIENCE_SECONDS / 2), (9.0, PATIENCE_SECONDS / 6)):
        started, alarm = perf_counter(), Alarm(PATIENCE_SECONDS)
        with pytest.raises(StorageUnavailable):
            await stamps.done([SCOPE], Write("write", waited_seconds=waited))
        assert left <= perf_counter() - started
        assert not alarm.has_rung


async def test_a_write_does_not_wait_longer_for_a_redis_that_hangs(
    open_stamps: OpenStamps, own_redis: OwnRedis, expect_log: ExpectLog
) -> None:
    expect_log(REFUSING)
    stamps = await open_stamps(own_redis.url, patience_seconds=PATIENCE_SECONDS)
    async with own_redis.frozen():
        alarm = Alarm(PATIENCE_SECONDS + MARGIN_SECONDS)
        with pytest.raises(StorageUnavailable):
            await stamps.mark([SCOPE])
        assert not alarm.has_rung


async def test_a_write_goes_on_when_redis_is_back_in_time(
    open_stamps: OpenStamps, own_redis: OwnRedis, told_away: None
) -> None:
    own_redis.kill()
    stamps = await open_stamps(own_redis.url)
    marking = asyncio.create_task(stamps.mark([SCOPE]))
    ended, _ = await asyncio.wait({marking}, timeout=PATIENCE_SECONDS)
    assert not ended
    own_redis.start()
    write = await marking
    assert await stamps._channel.call("HEXISTS", stamps._keys(SCOPE)[1], write.name) == 1


async def test_a_redis_that_refuses_writes_lets_no_write_be_announced_and_the_log_says_why(
    open_stamps: OpenStamps, own_redis: OwnRedis, expect_log: ExpectLog
) -> None:
    expect_log("OOM command not allowed")
    stamps = await open_stamps(own_redis.url, patience_seconds=PATIENCE_SECONDS)
    await stamps._channel.call("CONFIG", "SET", "maxmemory", 1)
    with pytest.raises(StorageUnavailable):
        await stamps.mark([SCOPE])
    await stamps._channel.call("CONFIG", "SET", "maxmemory", 0)
    assert await stamps.mark([SCOPE])


async def test_a_mark_whose_answer_is_heard_late_is_made_anew(open_stamps: OpenStamps) -> None:
    stamps = await open_stamps(patience_seconds=5.0)
    marking = asyncio.create_task(stamps.mark([SCOPE]))
    await asyncio.sleep(0)  # It has been sent.
    time.sleep(1.1)  # noqa: ASYNC251 - the loop stands still, as that of a stopped process.
    write = await marking
    now, _ = await stamps._channel.call("TIME")
    deadline = await stamps._channel.call("HGET", stamps._keys(SCOPE)[1], write.name)
    assert int(deadline) / 1000 > int(now) + MARK_SECONDS - 1.0
