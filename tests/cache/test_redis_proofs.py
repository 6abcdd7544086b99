"""Proofs of freshness in Redis: who shares a command, and what each is told.

Where something must happen at one moment it is done through a client that blocks: meanwhile the
loop stands still, so that nobody can hear an answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
import redis
from own_redis import OwnRedis
from proving import Requests, prove, put

from app.cache.redis_stamps import RedisStamps

pytestmark = pytest.mark.gen_test

OpenStamps = Callable[..., Awaitable[RedisStamps]]
OpenOne = Callable[[], Awaitable[RedisStamps]]
Settle = Callable[[RedisStamps], Awaitable[None]]
Blocking = redis.Redis  # Of bytes.

SCOPE = "public"
SCOPES = [f"scope {number}" for number in range(50)]


@pytest.fixture
def blocking(own_redis: OwnRedis) -> Iterator[Blocking]:
    with redis.Redis.from_url(own_redis.url) as client:
        yield client


@pytest.fixture
def open_one(open_stamps: OpenStamps, settle: Settle, own_redis: OwnRedis) -> OpenOne:
    """Return a function that opens a process whose scopes have stamps, on a Redis of its own."""

    async def open_one() -> RedisStamps:
        stamps = await open_stamps(own_redis.url)
        await settle(stamps)
        await asyncio.gather(*(prove(stamps, scope) for scope in (SCOPE, *SCOPES)))
        await stamps._channel.call("CONFIG", "RESETSTAT")
        return stamps

    return open_one


def commands(blocking: Blocking) -> dict[str, int]:
    """Return how often each command was carried out."""
    statistics = blocking.info("commandstats")
    return {name.removeprefix("cmdstat_"): each["calls"] for name, each in statistics.items()}


def set_stamp(blocking: Blocking, stamps: RedisStamps, stamp: str) -> None:
    """Have a scope's stamp changed by somebody else."""
    blocking.set(stamps._stamp_key(SCOPE), stamp)


async def test_all_who_ask_in_one_turn_share_one_command(
    open_one: OpenOne, blocking: Blocking
) -> None:
    stamps = await open_one()
    proved = await asyncio.gather(*(prove(stamps, scope) for scope in SCOPES for _ in range(20)))
    assert len(set(proved)) == len(SCOPES)
    assert commands(blocking)["mget"] == 1
    assert "evalsha" not in commands(blocking)


async def test_all_who_ask_while_a_question_is_out_share_the_next_command(
    open_one: OpenOne, blocking: Blocking
) -> None:
    stamps = await open_one()
    early = prove(stamps, SCOPE)
    await put(stamps, SCOPE)
    proved = await asyncio.gather(*(prove(stamps, scope) for scope in SCOPES for _ in range(20)))
    assert early.done()
    assert len(set(proved)) == len(SCOPES)
    assert commands(blocking)["mget"] == 2


async def test_who_asks_when_a_question_was_carried_out_is_not_told_its_answer(
    open_one: OpenOne, blocking: Blocking
) -> None:
    stamps = await open_one()
    set_stamp(blocking, stamps, "first")
    early = prove(stamps, SCOPE)
    await put(stamps, SCOPE)
    while not commands(blocking).get("mget"):
        pass
    set_stamp(blocking, stamps, "second")
    late = prove(stamps, SCOPE)
    assert (await early, await late) == ("first", "second")


async def test_what_changes_until_an_asker_is_closed_is_what_it_is_told(
    open_one: OpenOne, blocking: Blocking
) -> None:
    stamps = await open_one()
    asker = Requests(closing=lambda: set_stamp(blocking, stamps, "second"))
    set_stamp(blocking, stamps, "first")
    stamps.prove(SCOPE, asker)
    assert await prove(stamps, SCOPE) == "second"
    assert asker.heard == ["second"]


async def test_nobody_is_told_before_asking_has_returned(open_one: OpenOne) -> None:
    stamps = await open_one()
    asker = Requests()
    stamps.prove(SCOPE, asker)
    assert not asker.is_closed
    assert asker.heard == []
    await prove(stamps, SCOPE)
    assert len(asker.heard) == 1


async def test_all_who_ask_for_a_scope_without_a_stamp_share_the_command_that_gives_it_one(
    open_one: OpenOne, blocking: Blocking
) -> None:
    stamps = await open_one()
    proved = await asyncio.gather(*(prove(stamps, "never proved before") for _ in range(20)))
    assert None not in proved
    assert len(set(proved)) == 1
    assert commands(blocking)["mget"] == commands(blocking)["evalsha"] == 1


@pytest.mark.parametrize("is_sent", [False, True])
async def test_a_proof_that_somebody_cancelled_does_not_hurt_the_others(
    open_one: OpenOne, *, is_sent: bool
) -> None:
    stamps = await open_one()
    first, second, third = (prove(stamps, scope) for scope in ("a", "a", "b"))
    if is_sent:
        await put(stamps, "a")
    first.cancel()
    assert None not in (await second, await third)
    assert await prove(stamps, "a") is not None


async def test_the_requests_that_a_command_is_for_are_counted(open_one: OpenOne) -> None:
    stamps = await open_one()
    for scope, count in ((SCOPE, 20), ("another", 300), (SCOPE, 4000)):
        stamps.prove(scope, Requests(count))
    before = proof_requests(stamps)
    await prove(stamps, SCOPE)
    await prove(stamps, SCOPE)
    assert proof_requests(stamps) == [before[0] + 2, before[1] + 4321 + 1]


def proof_requests(stamps: RedisStamps) -> list[float]:
    """Return the number of proofs that were counted, and for how many requests they were."""
    name = b"todo_cache_proof_requests_"
    lines = stamps._metrics.render().splitlines()
    return [
        float(line.split()[1])
        for kind in (b"count", b"sum")
        for line in lines
        if line.startswith(name + kind)
    ]
