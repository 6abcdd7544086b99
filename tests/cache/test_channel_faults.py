"""What becomes of commands and of the channel when Redis hangs, dies, forgets or comes back."""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

import pytest
from alarm import Alarm
from http_serving import on_both_loops, turn_loop, until
from own_redis import OwnRedis

from app.cache.channel import RedisAddress, RedisAway, RedisChannel
from app.cache.redis_scripts import CLAIM

gen_test = pytest.mark.gen_test

OpenChannel = Callable[..., Awaitable[RedisChannel]]
ExpectLog = Callable[[str], None]

TIMEOUT_SECONDS = 0.5
MARGIN_SECONDS = 0.5
LONG_SECONDS = 600.0
AT_ONCE_SECONDS = 60.0


async def answer_of(channel: RedisChannel, ask: Callable[[], Awaitable[object]]) -> object:
    """Ask when there is a connection, until Redis answers; the test's deadline ends it."""
    while True:
        await until(lambda: channel.is_up)
        try:
            return await ask()
        except RedisAway:
            await turn_loop()  # In which the channel hears that its connection is lost.


async def failures(*answers: Awaitable[object]) -> list[BaseException | object]:
    return await asyncio.gather(*answers, return_exceptions=True)


@gen_test
async def test_a_hung_redis_fails_what_waits_in_time_and_is_used_again_when_it_goes_on(
    open_channel: OpenChannel, own_redis: OwnRedis, expect_log: ExpectLog
) -> None:
    expect_log("the connection is lost")
    channel = await open_channel(own_redis.url, timeout_seconds=TIMEOUT_SECONDS)
    async with own_redis.frozen():
        started, alarm = perf_counter(), Alarm(TIMEOUT_SECONDS + MARGIN_SECONDS)
        told = await failures(*(channel.call("PING") for _ in range(100)))
        assert perf_counter() - started >= TIMEOUT_SECONDS
        assert not alarm.has_rung
    assert all(isinstance(failure, RedisAway) for failure in told)
    assert await answer_of(channel, lambda: channel.call("PING")) == b"PONG"


@gen_test
async def test_what_was_asked_late_does_not_wait_for_longer_than_what_was_asked_first(
    open_channel: OpenChannel, own_redis: OwnRedis, expect_log: ExpectLog
) -> None:
    expect_log("the connection is lost")
    channel = await open_channel(own_redis.url, timeout_seconds=TIMEOUT_SECONDS)
    async with own_redis.frozen():
        first = channel.call("PING")
        asyncio.get_running_loop().call_later(TIMEOUT_SECONDS / 2, lambda: late.append(
            channel.call("PING")
        ))  # fmt: skip
        late: list[asyncio.Future[bytes]] = []
        await failures(first)
        assert late[0].done()


@gen_test
async def test_a_server_that_takes_connections_and_says_nothing_is_away(
    open_channel: OpenChannel, tmp_path: Path, expect_log: ExpectLog
) -> None:
    expect_log("Redis is away")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        alarm = Alarm(TIMEOUT_SECONDS + MARGIN_SECONDS)
        url = f"unix://{tmp_path}/silent.sock"
        channel = await open_channel(url, timeout_seconds=TIMEOUT_SECONDS)
        assert not alarm.has_rung
        assert not channel.is_up
        assert channel.call("PING").done()


@gen_test
async def test_a_server_that_speaks_another_language_is_away(
    open_channel: OpenChannel, tmp_path: Path, expect_log: ExpectLog
) -> None:
    expect_log("Redis is away")

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_unix_server(talk, tmp_path / "other.sock")
    async with server:
        channel = await open_channel(f"unix://{tmp_path}/other.sock")
        assert not channel.is_up


@gen_test
async def test_a_lost_connection_fails_all_that_is_unanswered_at_once(
    open_channel: OpenChannel, own_redis: OwnRedis, expect_log: ExpectLog
) -> None:
    expect_log("the connection is lost")
    expect_log("Redis is away")
    channel = await open_channel(own_redis.url, timeout_seconds=LONG_SECONDS)
    unanswered = [channel.call("BLPOP", "nothing", 0), *(channel.call("PING") for _ in range(9))]
    own_redis.kill()
    async with asyncio.timeout(AT_ONCE_SECONDS):
        told = await failures(*unanswered)
    assert all(isinstance(failure, RedisAway) for failure in told)
    # The channel hears of it in the same turn or the next; until then a command fails as well.
    await failures(channel.call("PING"))
    await until(lambda: not channel.is_up)


@gen_test
async def test_a_lost_connection_is_told_once_to_each_function_that_waits_for_an_answer(
    open_channel: OpenChannel, own_redis: OwnRedis, expect_log: ExpectLog
) -> None:
    expect_log("the connection is lost")
    expect_log("Redis is away")
    channel = await open_channel(own_redis.url, timeout_seconds=LONG_SECONDS)
    told: list[list[object]] = [[] for _ in range(3)]
    for each in told:
        channel.ask(("BLPOP", "nothing", 0), each.append)
    own_redis.kill()
    await until(lambda: not channel.is_up)
    assert [[type(answer) for answer in each] for each in told] == [[RedisAway]] * 3


@gen_test
async def test_scripts_that_somebody_threw_away_are_loaded_again(
    open_channel: OpenChannel, own_redis: OwnRedis, expect_log: ExpectLog
) -> None:
    expect_log("the connection is lost")
    channel = await open_channel(own_redis.url)
    claim = CLAIM, ("body", "lease", "time"), ("me", 60_000)
    assert await channel.run_script(*claim) == [1, b""]
    await channel.call("SCRIPT", "FLUSH")
    with pytest.raises(RedisAway, match="NOSCRIPT"):
        await channel.run_script(*claim)
    assert await answer_of(channel, lambda: channel.run_script(*claim)) == [0, b""]


@gen_test
async def test_a_redis_that_was_started_again_has_another_prefix(
    open_channel: OpenChannel, own_redis: OwnRedis, expect_log: ExpectLog
) -> None:
    expect_log("the connection is lost")
    channel = await open_channel(own_redis.url)
    before = channel.prefix
    own_redis.kill()
    own_redis.start()
    await until(lambda: channel.is_up and channel.prefix != before)


@gen_test
async def test_a_loss_and_the_return_are_told_once(
    open_channel: OpenChannel,
    own_redis: OwnRedis,
    expect_log: ExpectLog,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expect_log("Redis")
    caplog.set_level(logging.INFO, "app.cache.channel")
    channel = await open_channel(own_redis.url)
    before = channel.prefix
    own_redis.kill()
    await until(lambda: "Redis is away" in caplog.text)
    own_redis.start()
    await until(lambda: channel.is_up and channel.prefix != before)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@gen_test
async def test_a_host_that_cannot_be_a_name_is_away_like_any_other(
    open_channel: OpenChannel, expect_log: ExpectLog
) -> None:
    expect_log("Redis is away")
    async with asyncio.timeout(AT_ONCE_SECONDS):
        channel = await open_channel("redis://cache..internal")
    assert not channel.is_up


@on_both_loops
async def test_a_process_that_was_stopped_for_a_while_takes_the_answers_that_are_there(
    own_redis: OwnRedis,
) -> None:
    address = RedisAddress.parse(own_redis.url)
    timeout_seconds = 1.5
    channel = RedisChannel(address, timeout_seconds=timeout_seconds)
    running = asyncio.create_task(channel.run())
    large = b"x" * 3_000_000  # Is read in many pieces, not in the first turn after the stop.
    try:
        await channel.tried.wait()
        await channel.call("SET", "large", large)
        answer = channel.call("GET", "large")
        time.sleep(1.2 * timeout_seconds)  # noqa: ASYNC251 - the loop stands still, as the process.
        assert await answer == large
    finally:
        running.cancel()
        await failures(running)
