"""What all processes keep together, and which of them fills it."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

import msgspec
import pytest
from own_redis import OwnRedis

from app.cache import bodies
from app.cache.bodies import Bodies, Codec
from app.cache.channel import RedisAway, RedisChannel
from app.cache.redis_stamps import RedisStamps
from app.metrics import Metrics

pytestmark = pytest.mark.gen_test

OpenChannel = Callable[..., Awaitable[RedisChannel]]
OpenStamps = Callable[..., Awaitable[RedisStamps]]
ExpectLog = Callable[[str], None]

LARGEST_BYTES = 1000
SECONDS = 60.0
LEASE_MILLISECONDS = 500
AT_ONCE_SECONDS = 60.0
"""A tenth of the long lease: who takes longer has waited for its end."""
KEY = "page"

OpenBodies = Callable[..., Awaitable[Bodies[str]]]


@pytest.fixture
def stamp(namespace: str) -> str:
    """Return a stamp that no other test has."""
    return f"stamp-{namespace}"


async def test_one_process_fills_and_the_other_gets_the_body(
    open_bodies: OpenBodies, stamp: str
) -> None:
    one, another = await open_bodies(), await open_bodies()
    assert await one.get_or_claim(stamp, KEY) is None
    waiting = asyncio.create_task(another.get_or_claim(stamp, KEY))
    await another._channel.call("PING")
    assert not waiting.done()
    one.put(stamp, KEY, "body")
    assert await waiting == "body"
    assert await one.get_or_claim(stamp, KEY) == "body"


async def test_of_many_processes_exactly_one_fills(open_bodies: OpenBodies, stamp: str) -> None:
    processes = [await open_bodies() for _ in range(8)]
    fills = 0

    async def read(bodies: Bodies[str]) -> str:
        nonlocal fills
        body = await bodies.get_or_claim(stamp, KEY)
        if body is None:
            fills += 1
            body = "body"
            bodies.put(stamp, KEY, body)
        return body

    assert await asyncio.gather(*map(read, processes)) == ["body"] * 8
    assert fills == 1


async def test_a_body_that_cannot_be_read_is_filled_again(
    open_bodies: OpenBodies, stamp: str
) -> None:
    bodies = await open_bodies()
    bodies._codec = Codec(msgspec.json.encode, msgspec.json.Decoder(str).decode)
    await bodies._channel.call("SET", bodies._keys(stamp, KEY)[0], "no JSON")
    assert await bodies.get_or_claim(stamp, KEY) is None
    bodies.put(stamp, KEY, "body")
    assert await bodies.get_or_claim(stamp, KEY) == "body"


async def test_another_stamp_or_key_is_another_body(open_bodies: OpenBodies, stamp: str) -> None:
    one, another = await open_bodies(), await open_bodies()
    one.put(stamp, KEY, "body")
    await one._channel.call("PING")
    assert await another.get_or_claim(f"{stamp} later", KEY) is None
    assert await another.get_or_claim(stamp, "another page") is None


async def test_when_the_one_who_fills_dies_one_other_goes_on_after_its_lease(
    open_bodies: OpenBodies, stamp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, one, another = [await open_bodies() for _ in range(3)]
    started = perf_counter()
    with monkeypatch.context() as of_the_dead:
        of_the_dead.setattr(bodies, "_LEASE_MILLISECONDS", LEASE_MILLISECONDS)
        assert await dead.get_or_claim(stamp, KEY) is None
    waiting = [asyncio.create_task(process.get_or_claim(stamp, KEY)) for process in (one, another)]
    async with asyncio.timeout(AT_ONCE_SECONDS):
        done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert perf_counter() - started >= LEASE_MILLISECONDS / 1000
    assert [task.result() for task in done] == [None]
    one.put(stamp, KEY, "body")
    assert [await task for task in left] == ["body"]


async def test_who_gives_up_lets_the_next_fill_at_once(open_bodies: OpenBodies, stamp: str) -> None:
    one, another = await open_bodies(), await open_bodies()
    assert await one.get_or_claim(stamp, KEY) is None
    waiting = asyncio.create_task(another.get_or_claim(stamp, KEY))
    await another._channel.call("PING")
    one.give_up(stamp, KEY)
    async with asyncio.timeout(AT_ONCE_SECONDS):
        assert await waiting is None


async def test_when_nobody_fills_in_time_everybody_does(
    open_bodies: OpenBodies, stamp: str, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "_LEASE_MILLISECONDS", LEASE_MILLISECONDS)
    one, another = await open_bodies(), await open_bodies()
    _, lease = one._keys(stamp, KEY)
    await one._channel.call("SET", lease, "never ends")
    started = perf_counter()
    both = await asyncio.gather(*(process.get_or_claim(stamp, KEY) for process in (one, another)))
    assert both == [None, None]
    assert perf_counter() - started > LEASE_MILLISECONDS / 1000
    assert metrics._cache.counts["bodies", "lease_lost"] == 2
    one.give_up(stamp, KEY)


async def test_when_redis_is_away_that_is_told_at_once_and_nothing_is_stored(
    open_bodies: OpenBodies, own_redis: OwnRedis, stamp: str, expect_log: ExpectLog
) -> None:
    expect_log("Redis is away")
    own_redis.kill()
    one, another = await open_bodies(own_redis.url), await open_bodies(own_redis.url)
    for process in (one, another):
        async with asyncio.timeout(AT_ONCE_SECONDS):
            with pytest.raises(RedisAway):
                await process.get_or_claim(stamp, KEY)
        process.put(stamp, KEY, "body")
        process.give_up(stamp, KEY)


async def test_what_is_too_large_is_not_stored_and_nobody_waits_for_it(
    open_bodies: OpenBodies, stamp: str
) -> None:
    one, another = await open_bodies(), await open_bodies()
    assert await one.get_or_claim(stamp, KEY) is None
    one.put(stamp, KEY, "x" * (LARGEST_BYTES + 1))
    await one._channel.call("PING")
    async with asyncio.timeout(AT_ONCE_SECONDS):
        assert await another.get_or_claim(stamp, KEY) is None
    another.put(stamp, KEY, "x" * LARGEST_BYTES)
    assert await another.get_or_claim(stamp, KEY) == "x" * LARGEST_BYTES


async def test_bodies_end_at_different_times_up_to_the_one_that_was_set(
    open_bodies: OpenBodies, stamp: str
) -> None:
    bodies = await open_bodies()
    for number in range(20):
        bodies.put(stamp, f"{number}", "body")
    keys = [bodies._keys(stamp, f"{number}")[0] for number in range(20)]
    left = [await bodies._channel.call("PTTL", key) for key in keys]
    assert all(SECONDS * 0.75 < milliseconds / 1000 <= SECONDS for milliseconds in left)
    assert max(left) - min(left) > SECONDS * 1000 * 0.05


@pytest.mark.parametrize("is_filled", [False, True])
async def test_who_fills_and_who_is_given_a_body_hears_of_the_newest_write(
    open_bodies: OpenBodies, stamp: str, *, is_filled: bool
) -> None:
    writer, reader = await open_bodies(), await open_bodies()
    if is_filled:
        writer.put(stamp, KEY, "body")
    writer._operation_time.hear_of(7 << 32 | 5)
    await writer._stamps.done(["scope"], await writer._stamps.mark(["scope"]))
    await reader.get_or_claim(stamp, KEY)
    assert reader._operation_time.newest == 7 << 32 | 5
