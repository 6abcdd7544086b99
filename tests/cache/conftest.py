"""Fixtures for tests of the cache's parts.

=============  ================================================================================
own_redis      a redis-server of the test's own, running; see `own_redis`
open_channel   ``await open_channel(url)``: a `RedisChannel` that has tried to connect, closed
               afterwards; without a URL on the Redis that all tests share
namespace      tells this test's scopes from those of others
open_stamps    ``await open_stamps(...)``: `RedisStamps` of one more process on its own channel
open_bodies    ``await open_bodies()``: `Bodies` of one more process, with stamps of their own
settle         ``await settle(stamps)``: makes this Redis so old that it can have lost no mark
database       see `held_database`
source         its one text
stamps         of the only process
reads          what reads the source through them
=============  ================================================================================
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from time import monotonic
from uuid import uuid4

import pytest
from held_database import SCOPE, Database, make_reads
from own_redis import OwnRedis
from tornado.ioloop import IOLoop

from app.cache.bodies import Bodies, Codec
from app.cache.channel import RedisAddress, RedisChannel
from app.cache.local_stamps import LocalStamps
from app.cache.reads import Reads
from app.cache.redis_stamps import UNKEPT_SECONDS, RedisStamps
from app.metrics import Metrics
from app.services.freshness import OperationTime, Source

TIMEOUT_SECONDS = 60.0
MARK_SECONDS = 60.0
PATIENCE_SECONDS = 60.0
LARGEST_BYTES = 1000
BODY_SECONDS = 60.0

OpenChannel = Callable[..., Awaitable[RedisChannel]]
OpenStamps = Callable[..., Awaitable[RedisStamps]]
OpenBodies = Callable[..., Awaitable[Bodies[str]]]


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    redis = OwnRedis(tmp_path)
    try:
        redis.start()
        yield redis
    finally:
        redis.kill()


@pytest.fixture
def open_channel(io_loop: IOLoop, redis_url: str) -> Iterator[OpenChannel]:
    running: list[asyncio.Task[None]] = []

    async def open_one(
        url: str = redis_url, *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> RedisChannel:
        channel = RedisChannel(RedisAddress.parse(url), timeout_seconds=timeout_seconds)
        running.append(asyncio.create_task(channel.run()))
        await channel.tried.wait()
        return channel

    async def close() -> None:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    yield open_one
    io_loop.run_sync(close)


@pytest.fixture
def namespace() -> str:
    return uuid4().hex


@pytest.fixture
def open_stamps(open_channel: OpenChannel, namespace: str) -> OpenStamps:
    async def open_some(
        *urls: str,
        channel: RedisChannel | None = None,
        operation_time: OperationTime | None = None,
        mark_seconds: float = MARK_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        unkept_seconds: float = UNKEPT_SECONDS,
    ) -> RedisStamps:
        return RedisStamps(
            channel or await open_channel(*urls),
            namespace=namespace,
            operation_time=operation_time or OperationTime(),
            mark_seconds=mark_seconds,
            patience_seconds=patience_seconds,
            metrics=Metrics(),
            unkept_seconds=unkept_seconds,
        )

    return open_some


@pytest.fixture
def open_bodies(open_channel: OpenChannel, open_stamps: OpenStamps, metrics: Metrics) -> OpenBodies:
    """Return a function that opens the bodies of one more process."""

    async def open_some(*urls: str) -> Bodies[str]:
        channel, operation_time = await open_channel(*urls), OperationTime()
        return Bodies(
            channel,
            stamps=await open_stamps(channel=channel, operation_time=operation_time),
            operation_time=operation_time,
            codec=Codec(str.encode, bytes.decode),
            largest_bytes=LARGEST_BYTES,
            seconds=BODY_SECONDS,
            metrics=metrics,
        )

    return open_some


@pytest.fixture
def settle(namespace: str) -> Callable[[RedisStamps], Awaitable[None]]:
    async def settle(stamps: RedisStamps) -> None:
        channel = stamps._channel
        await channel.call("SET", f"{channel.prefix}{namespace}:born", 0)

    return settle


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def source(database: Database) -> Source[str]:
    return Source(SCOPE, "page", database.load)


@pytest.fixture
def stamps() -> LocalStamps:
    return LocalStamps(mark_seconds=60, monotonic=monotonic)


@pytest.fixture
def reads(stamps: LocalStamps, metrics: Metrics) -> Reads[str]:
    return make_reads(stamps, metrics)
