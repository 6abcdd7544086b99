"""The connections of a process: opened once, closed in reverse by who opened them."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import pymongo
from motor.core import AgnosticDatabase
from motor.motor_tornado import MotorClient
from pymongo import ReadPreference
from pymongo.errors import ConfigurationError, InvalidName
from tornado.ioloop import IOLoop

from app.cache.channel import RedisAddress, RedisChannel
from app.settings import Settings, SettingsError
from app.settings_row import redact
from app.storage.collection import Collection

T = TypeVar("T")

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

        def read_uri(uri: str) -> AgnosticDatabase[dict[str, Any]]:
            mongo = _mongo_client(settings, uri)
            stack.callback(_close, mongo)
            return _database(mongo)

        database = _understood("mongo_uri", mongo_uri, read_uri)
        redis = None
        if redis_url is not None:
            address = _understood("redis_url", redis_url, RedisAddress.parse)
            redis = RedisChannel(address, timeout_seconds=settings.redis_timeout_seconds)
            await stack.enter_async_context(background(redis.run()))
            await redis.tried.wait()
        yield Resources(database[COLLECTION], redis)


def require_understood(settings: Settings, *, mongo_uri: str | None, redis_url: str | None) -> None:
    """Refuse addresses that `open_resources` would; nothing is connected to, None is passed over.

    Raises:
        SettingsError: an address cannot be understood.
    """

    def read_uri(uri: str) -> None:
        with (
            _warnings_raised(),
            pymongo.MongoClient[Any](uri, connect=False, **_options(settings)) as mongo,
        ):
            mongo.get_default_database(DATABASE)

    if mongo_uri is not None:
        _understood("mongo_uri", mongo_uri, read_uri)
    if redis_url is not None:
        _understood("redis_url", redis_url, RedisAddress.parse)


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
    with _warnings_raised():
        return MotorClient(uri, io_loop=IOLoop.current(), **_options(settings))


def _warnings_raised() -> AbstractContextManager[object]:
    # The driver only warns of options that it does not know or cannot read.
    return warnings.catch_warnings(category=UserWarning, action="error")


def _options(settings: Settings) -> dict[str, Any]:
    concern = settings.mongo_write_concern
    return {
        "appname": "tornado-todo",
        "maxPoolSize": settings.mongo_pool_size,
        "connectTimeoutMS": round(settings.mongo_connect_seconds * 1000),
        # For the whole of an operation, the search for a server included, which by itself may
        # take 30 s.
        "timeoutMS": round(settings.mongo_operation_seconds * 1000),
        "w": concern if concern == "majority" else int(concern),
        "journal": settings.mongo_journal,
        "retryWrites": True,
        # What a failover may roll back is not shown, and what was written is seen: also where the
        # address asks for other than that.
        "readConcernLevel": "majority",
    }


def _database(mongo: MotorClient[dict[str, Any]]) -> AgnosticDatabase[dict[str, Any]]:
    # Whatever members the address prefers: only late reads may ask others, and they say so.
    return mongo.get_default_database(DATABASE, read_preference=ReadPreference.PRIMARY)


def _close(mongo: MotorClient[dict[str, Any]]) -> None:
    # It says good-bye to the server, which may hang.
    with pymongo.timeout(_GOOD_BYE_SECONDS):
        mongo.close()


# OSError: of files that the address names, such as tlsCAFile.
_NOT_UNDERSTOOD = (ConfigurationError, InvalidName, ValueError, TypeError, UserWarning, OSError)


def _understood(name: str, address: str, read: Callable[[str], T]) -> T:
    """Return what a driver makes of an address.

    Raises:
        SettingsError: it cannot be understood.
    """
    try:
        return read(address)
    except _NOT_UNDERSTOOD as error:
        reason = str(error)
        # SECURITY: a driver's words may repeat a part of a password. They are shown if they are
        # the same without it.
        if _reason_against(redact(address), read) != reason:
            reason = "what is special in its user name and password must be percent-encoded"
        raise SettingsError(f"{name} cannot be used: {reason}") from error


def _reason_against(address: str, read: Callable[[str], object]) -> str | None:
    try:
        read(address)
    except _NOT_UNDERSTOOD as error:
        return str(error)
    return None
