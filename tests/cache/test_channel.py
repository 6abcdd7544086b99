"""What a channel says of Redis while all goes well, and what it refuses to work with."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from http_serving import until
from own_redis import OwnRedis

from app.cache.channel import RedisAway, RedisChannel

pytestmark = pytest.mark.gen_test

OpenChannel = Callable[..., Awaitable[RedisChannel]]
ExpectLog = Callable[[str], None]


async def test_commands_are_carried_out_and_answered_in_the_order_in_which_they_were_sent(
    open_channel: OpenChannel, namespace: str
) -> None:
    channel = await open_channel()
    answered: list[int] = []
    for number in range(1000):
        sent = channel.call("RPUSH", namespace, number)
        sent.add_done_callback(lambda answer: answered.append(answer.result()))
    in_redis = await channel.call("LRANGE", namespace, 0, -1)
    assert in_redis == [b"%d" % number for number in range(1000)]
    assert answered == list(range(1, 1001))
    await channel.call("DEL", namespace)


async def test_an_answer_may_be_told_to_a_function_in_its_turn(
    open_channel: OpenChannel, namespace: str
) -> None:
    channel = await open_channel()
    told: list[object] = []
    for number in range(3):
        channel.ask(("ECHO", number), told.append)
        channel.call("RPUSH", namespace, number).add_done_callback(
            lambda answer: told.append(answer.result())
        )
    assert told == []
    await channel.call("DEL", namespace)
    assert [each for each in told if isinstance(each, bytes)] == [b"0", b"1", b"2"]
    assert [each for each in told if isinstance(each, int)] == [1, 2, 3]


async def test_an_answer_that_comes_in_pieces_is_one_answer(
    open_channel: OpenChannel, namespace: str
) -> None:
    channel = await open_channel()
    large = b"x" * 3_000_000
    assert await channel.call("ECHO", large) == large


async def test_an_error_fails_its_command_alone(open_channel: OpenChannel) -> None:
    channel = await open_channel()
    before, refused, after = (
        channel.call("CLIENT", "ID"),
        channel.call("NOSUCH"),
        channel.call("CLIENT", "ID"),
    )
    with pytest.raises(RedisAway, match="unknown command"):
        await refused
    assert await before == await after == await channel.call("CLIENT", "ID")
    assert channel.is_up


async def test_a_caller_who_is_cancelled_takes_no_answer_from_others(
    open_channel: OpenChannel,
) -> None:
    channel = await open_channel()
    sent = [channel.call("ECHO", number) for number in range(3)]
    sent[1].cancel()
    assert [await sent[0], await sent[2]] == [b"0", b"2"]


async def test_nobody_need_look_at_what_became_of_a_command(
    open_channel: OpenChannel, caplog: pytest.LogCaptureFixture
) -> None:
    channel = await open_channel()
    channel.call("NOSUCH")
    await channel.call("PING")
    assert not caplog.records


async def test_without_a_connection_a_command_fails_at_once(
    open_channel: OpenChannel, own_redis: OwnRedis, expect_log: ExpectLog
) -> None:
    expect_log("Redis is away")
    own_redis.kill()
    channel = await open_channel(own_redis.url)
    assert not channel.is_up
    answer = channel.call("PING")
    assert answer.done()
    told: list[object] = []
    channel.ask(("PING",), told.append)
    assert [type(each) for each in told] == [RedisAway]
    with pytest.raises(RedisAway):
        await channel.call("PING")


async def test_a_redis_that_is_away_is_told_once_and_its_return_once(
    open_channel: OpenChannel,
    own_redis: OwnRedis,
    expect_log: ExpectLog,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "app.cache.channel")
    expect_log("Redis is away")
    own_redis.kill()
    attempts = 0
    channel = await open_channel(own_redis.url)
    connect = channel._connect

    async def counted() -> object:
        nonlocal attempts
        attempts += 1
        return await connect()

    channel._connect = counted  # type: ignore[method-assign,assignment]
    await until(lambda: attempts == 3)
    own_redis.start()
    await until(lambda: channel.is_up)
    told = [(record.levelname, record.message.partition(",")[0]) for record in caplog.records]
    assert told == [("WARNING", "Redis is away"), ("INFO", "Redis answers")]


async def test_a_redis_that_may_evict_marks_is_refused_until_it_may_not(
    open_channel: OpenChannel,
    own_redis: OwnRedis,
    expect_log: ExpectLog,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expect_log("its maxmemory-policy is allkeys-lru, which may evict the marks of open writes")
    good = await open_channel(own_redis.url)
    await good.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    refused = await open_channel(own_redis.url)
    assert not refused.is_up
    assert "volatile-ttl is the one to set" in caplog.text
    await good.call("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
    await until(lambda: refused.is_up)


@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru", "volatile-ttl", "volatile-lfu"])
async def test_every_policy_that_spares_what_has_no_time_to_live_will_do(
    open_channel: OpenChannel, own_redis: OwnRedis, policy: str
) -> None:
    first = await open_channel(own_redis.url)
    await first.call("CONFIG", "SET", "maxmemory-policy", policy)
    assert (await open_channel(own_redis.url)).is_up


async def test_a_redis_that_does_not_tell_its_policy_will_do(
    open_channel: OpenChannel, own_redis: OwnRedis
) -> None:
    own_redis.kill()
    own_redis.start("--rename-command", "CONFIG", "")
    assert (await open_channel(own_redis.url)).is_up


async def test_the_password_and_the_database_of_the_address_are_used(
    open_channel: OpenChannel, own_redis: OwnRedis
) -> None:
    own_redis.kill()
    own_redis.start("--requirepass", "s@crèt")
    address = own_redis.url.replace("unix://", "unix://:s%40cr%C3%A8t@")
    channel = await open_channel(f"{address}?db=3")
    assert channel.is_up
    assert b" db=3 " in await channel.call("CLIENT", "LIST")


async def test_the_user_of_the_address_is_used(
    open_channel: OpenChannel, own_redis: OwnRedis
) -> None:
    first = await open_channel(own_redis.url)
    await first.call("ACL", "SETUSER", "todo", "on", ">secret", "~*", "+@all")
    channel = await open_channel(own_redis.url.replace("unix://", "unix://todo:secret@"))
    assert await channel.call("ACL", "WHOAMI") == b"todo"


async def test_a_wrong_password_is_told_without_being_shown(
    open_channel: OpenChannel,
    own_redis: OwnRedis,
    expect_log: ExpectLog,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expect_log("Redis is away, everything comes from MongoDB: WRONGPASS")
    own_redis.kill()
    own_redis.start("--requirepass", "secret")
    channel = await open_channel(own_redis.url.replace("unix://", "unix://:guessed@"))
    assert not channel.is_up
    assert "guessed" not in caplog.text


async def test_all_processes_on_one_redis_share_a_prefix_and_those_on_another_do_not(
    open_channel: OpenChannel, own_redis: OwnRedis
) -> None:
    shared = await asyncio.gather(open_channel(), open_channel(), open_channel(own_redis.url))
    one, another, elsewhere = (channel.prefix for channel in shared)
    assert one == another != elsewhere
