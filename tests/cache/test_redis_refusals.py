"""A Redis that answers and refuses: readiness says so, in words of ours; a note has Redis's own."""

from collections.abc import Callable

import pytest
from cache.conftest import OpenChannel, OpenStamps
from own_redis import OwnRedis

from app.cache.redis_refusals import in_our_words
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
            [("ACL", "SETUSER", "default", "-evalsha")],
            "its user may not run EVALSHA",
            id="its user may not run scripts",
        ),
        pytest.param(
            [("ACL", "SETUSER", "default", "-hset")],
            "its user may not run a command of the scripts",
            id="its user may not do what they do",
        ),
        pytest.param(
            [("ACL", "SETUSER", "default", "resetkeys", "~other:*")],
            "may not use our keys",
            id="other keys",
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
        pytest.param(("--requirepass", "other"), "", "it wants a password", id="none"),
        pytest.param(
            ("--requirepass", "other"), ":wrong@", "user or password are wrong", id="wrong"
        ),
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


@pytest.mark.parametrize("missing", ["SCRIPT", "INFO"])
async def test_a_command_that_a_connection_needs_and_that_is_missing_is_named(
    open_stamps: OpenStamps, own_redis: OwnRedis, expect_log: ExpectLog, missing: str
) -> None:
    expect_log("Redis is away")
    own_redis.kill()
    own_redis.start("--rename-command", missing, "")
    stamps = await open_stamps(own_redis.url)
    with pytest.raises(StorageUnavailable) as caught:
        await stamps.ping()
    assert str(caught.value) == f"not connected: it has no {missing}: it may have been renamed"


async def test_a_command_that_writes_need_and_that_is_missing_is_named(
    open_stamps: OpenStamps, own_redis: OwnRedis
) -> None:
    own_redis.kill()
    own_redis.start("--rename-command", "EVALSHA", "")
    stamps = await open_stamps(own_redis.url)
    with pytest.raises(StorageUnavailable) as caught:
        await stamps.ping()
    assert str(caught.value) == "it has no EVALSHA: it may have been renamed"


@pytest.mark.parametrize(
    "refusal", ["ERR host db3.internal is odd", "ERR " + "x" * 100_000, "", "%s{}"]
)
def test_what_is_not_known_of_redis_is_left_to_the_log(refusal: str) -> None:
    assert in_our_words(refusal) == "it refuses; the log says why"


async def test_the_log_has_what_redis_says(
    open_channel: OpenChannel, open_stamps: OpenStamps, own_redis: OwnRedis
) -> None:
    stamps, operator = await open_stamps(own_redis.url), await open_channel(own_redis.url)
    await operator.call("ACL", "SETUSER", "default", "-evalsha")
    with pytest.raises(StorageUnavailable) as caught:
        await stamps.ping()
    (note,) = caught.value.__notes__
    assert note.startswith("Redis says: NOPERM ")
