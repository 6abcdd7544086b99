"""The connections of a process: opened once, closed in reverse by who opened them."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pymongo
from motor.core import AgnosticDatabase
from motor.motor_tornado import MotorClient
from pymongo import ReadPreference
from pymongo.errors import ConfigurationError, InvalidName
from tornado.ioloop import IOLoop

from app.cache.channel import RedisAddress, RedisChannel
from app.settings import Settings, SettingsError
from app.storage.collection import Collection

DATABASE = "todo"
"""The database when the MongoDB URI names none."""

COLLECTION = "todos"
"""The collection, as in the founding article."""


_GOOD_BYE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Resources:
    """What the adapters work with."""

    todos: Collection
    redis: RedisChannel | None


@asynccontextmanager
async def open_resources(
    settings: Settings, *, mongo_uri: str, redis_url: str | None
) -> AsyncIterator[Resources]:
    """Make the clients of MongoDB, which does not connect yet, and of Redis.

    Args:
        settings: pool sizes, deadlines and the write concern.
        mongo_uri: the MongoDB to use; its path names the database.
        redis_url: the Redis to use, or None to do without.

    Raises:
        SettingsError: an address cannot be understood.
    """
    async with AsyncExitStack() as stack:
        mongo = _mongo_client(settings, mongo_uri)
        stack.callback(_close, mongo)
        database = _database(mongo)
        redis = None
        if redis_url is not None:
            redis = _redis_channel(settings, redis_url)
            await stack.enter_async_context(background(redis.run()))
            await redis.tried.wait()
        yield Resources(database[COLLECTION], redis)


@asynccontextmanager
async def background(work: Coroutine[Any, Any, Any]) -> "AsyncIterator[asyncio.Task[Any]]":
    """Run work beside the body of the ``async with``; it ends with it."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _mongo_client(settings: Settings, uri: str) -> MotorClient[dict[str, Any]]:
    concern = settings.mongo_write_concern
    try:
        # The driver only warns of options that it does not know or cannot read.
        with warnings.catch_warnings(category=UserWarning, action="error"):
            return MotorClient(
                uri,
                io_loop=IOLoop.current(),
                appname="tornado-todo",
                maxPoolSize=settings.mongo_pool_size,
                connectTimeoutMS=round(settings.mongo_connect_seconds * 1000),
                # For the whole of an operation, the search for a server included, which by
                # itself may take 30 s.
                timeoutMS=round(settings.mongo_operation_seconds * 1000),
                w=concern if concern == "majority" else int(concern),
                journal=settings.mongo_journal,
                retryWrites=True,
                # What a failover may roll back is not shown, and what was written is seen: also
                # where the address asks for other than that.
                readConcernLevel="majority",
            )
    # OSError: of files that the address names, such as tlsCAFile.
    except (ConfigurationError, ValueError, UserWarning, OSError) as error:
        raise SettingsError(f"mongo_uri cannot be used: {error}") from error


def _database(mongo: MotorClient[dict[str, Any]]) -> AgnosticDatabase[dict[str, Any]]:
    try:
        # Whatever members the address prefers: only late reads may ask others, and they say so.
        return mongo.get_default_database(DATABASE, read_preference=ReadPreference.PRIMARY)
    except InvalidName as error:
        raise SettingsError(f"mongo_uri cannot be used: {error}") from error


def _close(mongo: MotorClient[dict[str, Any]]) -> None:
    # It says good-bye to the server, which may hang.
    with pymongo.timeout(_GOOD_BYE_SECONDS):
        mongo.close()


def _redis_channel(settings: Settings, url: str) -> RedisChannel:
    try:
        address = RedisAddress.parse(url)
    # OSError: of files that the address names, such as ssl_ca_certs.
    except (ValueError, TypeError, OSError) as error:
        raise SettingsError(f"redis_url cannot be used: {error}") from error
    return RedisChannel(address, timeout_seconds=settings.redis_timeout_seconds)
