"""A Redis that answers and refuses: readiness says so, in Redis's own words."""

from collections.abc import Callable

import pytest
from cache.conftest import OpenChannel, OpenStamps
from own_redis import OwnRedis

from app.errors import StorageUnavailable

pytestmark = pytest.mark.gen_test

ExpectLog = Callable[[str], None]


async def test_a_redis_that_takes_writes_is_well(
    open_stamps: OpenStamps, own_redis: OwnRedis
) -> None:
    await (await open_stamps(own_redis.url)).ping()


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        pytest.param([("REPLICAOF", "127.0.0.1", "1")], "READONLY", id="it follows another"),
        pytest.param([("CONFIG", "SET", "maxmemory", "1")], "OOM", id="it is full"),
        pytest.param(
            [("ACL", "SETUSER", "default", "-evalsha")], "NOPERM", id="its user may not run scripts"
        ),
        pytest.param(
            [("ACL", "SETUSER", "default", "-hset")],
            "can.t run",
            id="its user may not do what they do",
        ),
        pytest.param(
            [("ACL", "SETUSER", "default", "resetkeys", "~other:*")], "NOPERM", id="other keys"
        ),
    ],
)
async def test_what_would_make_writes_fail_is_told(
    open_channel: OpenChannel,
    open_stamps: OpenStamps,
    own_redis: OwnRedis,
    commands: list[tuple[str, ...]],
    words: str,
) -> None:
    stamps, operator = await open_stamps(own_redis.url), await open_channel(own_redis.url)
    for command in commands:
        await operator.call(*command)
    with pytest.raises(StorageUnavailable, match=words):
        await stamps.ping()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("redis://127.0.0.1:1", "ConnectionRefusedError", id="dead address"),
        pytest.param("unix:///nowhere.sock", "FileNotFoundError", id="no socket"),
    ],
)
async def test_a_redis_that_is_not_reached_is_told_without_its_address(
    open_stamps: OpenStamps, expect_log: ExpectLog, url: str, words: str
) -> None:
    expect_log("Redis is away")
    stamps = await open_stamps(url)
    with pytest.raises(StorageUnavailable, match=f"^not connected: {words}$"):
        await stamps.ping()


@pytest.mark.parametrize(
    ("options", "login", "words"),
    [
        pytest.param(("--requirepass", "other"), "", "NOAUTH", id="none"),
        pytest.param(("--requirepass", "other"), ":wrong@", "WRONGPASS", id="wrong"),
        pytest.param(
            ("--maxmemory-policy", "allkeys-lru", "--rename-command", "CONFIG", ""),
            "",
            "its maxmemory-policy is allkeys-lru",
            id="a policy that evicts marks, where CONFIG is hidden",
        ),
    ],
)
async def test_a_redis_that_lets_nobody_in_is_told(
    open_stamps: OpenStamps,
    own_redis: OwnRedis,
    expect_log: ExpectLog,
    options: tuple[str, ...],
    login: str,
    words: str,
) -> None:
    expect_log("Redis is away")
    own_redis.kill()
    own_redis.start(*options)
    stamps = await open_stamps(own_redis.url.replace("unix://", f"unix://{login}"))
    with pytest.raises(StorageUnavailable, match=f"not connected: {words}"):
        await stamps.ping()
