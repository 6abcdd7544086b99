"""Runs driver operations within a deadline and a bound, and translates what goes wrong."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any, TypeVar

import pymongo
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)

from app.errors import StorageOverloaded, StorageRefused, StorageUnavailable, StorageUnusable
from app.metrics import Metrics

T = TypeVar("T")

log = logging.getLogger(__name__)

# Server errors (src/mongo/base/error_codes.yml) that pass without a change on our side.
_PASSING_CODES = frozenset(
    {
        # A server says this that has not heard yet of the time that a read must be as new as.
        72,  # InvalidOptions
        11600,  # InterruptedAtShutdown
        11601,  # Interrupted
        14031,  # OutOfDiskSpace
        371,  # UserWritesBlocked
        *(24, 46),  # LockTimeout, LockBusy
        *(43, 175, 237),  # CursorNotFound, QueryPlanKilled, CursorKilled
        *(6, 7, 89, 202, 262),  # HostUnreachable, HostNotFound, three times too late
        *(91, 189, 216, 11602, 13435, 13436, 10058, 10107),  # another primary, or none yet
        *(112, 365),  # WriteConflict, TemporarilyUnavailable
        *(133, 134, 246),  # no member for this read, no majority, no snapshot to read from yet
        *(211, 215, 261, 264),  # KeyNotFound, DatabaseDropPending, too many sessions, files
        *(39, 146),  # FileStreamFailed, ExceededMemoryLimit
    }
)

# Server errors that say what the server does not let us do; a person has changed it, or has to.
_REFUSING_CODES = frozenset(
    {
        *(11, 13, 18, 31),  # UserNotFound, Unauthorized, AuthenticationFailed, RoleNotFound
        *(214, 334, 391),  # AuthenticationRestrictionUnmet, MechanismUnavailable, log in again
        8000,  # AtlasError: its quotas, and users that it does not know.
        *(76, 79, 100),  # no replication, no such write concern, more members than there are
        121,  # DocumentValidationFailure: somebody's validator.
        148,  # ReadConcernMajorityNotEnabled
        20,  # IllegalOperation: no retryable writes, or the collection is capped.
        *(115, 166, 167),  # CommandNotSupported, and not on a view
    }
)

# More members wanted than the replica set has: no waiting helps.
_UNSATISFIABLE_WRITE_CONCERN = 100

_LEAST_SECONDS = 0.001
"""The driver takes no deadline of zero."""

_DRIVERS_STATE = re.compile(r" \(configured timeouts: [^)]*\)|, Timeout: .*", re.DOTALL)
_REASON_CHARACTERS = 300
"""Of MongoDB's own words in a warning: for a refusal they repeat the whole command."""

_QUIET_SECONDS = 10.0
"""Between two warnings that MongoDB fails: enough to see it, too few to fill a disk."""


class Operations:
    """A gate in front of the driver: at most ``concurrent`` operations at a time.

    Motor runs every operation on a thread pool with an unbounded queue, where one that its
    caller has given up would still be run, seconds later. So operations wait here, where giving
    up means never starting, and one slot stands for one thread.

    Args:
        concurrent: operations at a time; the size of the connection pool.
        waiting_limit: operations that may wait for a slot; one more is refused.
        deadline_seconds: longest time from the call of `run` to its answer.
        metrics: where durations and outcomes are counted.
    """

    def __init__(
        self, *, concurrent: int, waiting_limit: int, deadline_seconds: float, metrics: Metrics
    ) -> None:
        self._slots = asyncio.Semaphore(concurrent)
        self._waiting = 0
        self._waiting_limit = waiting_limit
        self._deadline_seconds = deadline_seconds
        self._metrics = metrics
        self._in_trouble = False
        self._quiet_until = 0.0

    async def run(self, name: str, start: Callable[[], Awaitable[T]]) -> T:
        """Start a driver operation when there is room and return its result.

        Args:
            name: the operation for the metrics, such as ``find``.
            start: begins the operation; Motor answers with the future of a thread.

        Raises:
            StorageOverloaded: too many wait already; nothing was started.
            StorageUnavailable: no answer within the deadline, or MongoDB cannot answer now. A
                write may or may not have happened.
            StorageRefused: MongoDB refuses; a write that was sent twice may have happened.
        """
        started = perf_counter()
        outcome = "error"
        try:
            result = await self._run(start, started + self._deadline_seconds)
            outcome = "ok"
        except StorageOverloaded:
            outcome = "overloaded"
            raise
        except StorageUnavailable:
            outcome = "unavailable"
            raise
        finally:
            self._metrics.storage_operation(name, outcome, perf_counter() - started)
        return result

    # One line when the trouble begins and one when it ends; where some operations fail and others
    # do not, one pair in a while.

    def _note_failure(self, error: StorageUnavailable) -> None:
        now = perf_counter()
        if not self._in_trouble and now >= self._quiet_until:
            reason = reason_of(error)[:_REASON_CHARACTERS]
            log.warning("answering 503: %s", reason)
            self._in_trouble = True
            self._quiet_until = now + _QUIET_SECONDS

    def _note_answer(self) -> None:
        if self._in_trouble:
            log.info("MongoDB answers again")
            self._in_trouble = False

    async def _run(self, start: Callable[[], Awaitable[T]], deadline: float) -> T:
        await self._take_slot(deadline)
        try:
            # The driver's own deadline is that of the caller: what got its slot late must not
            # go on for a caller who has left. Motor takes this context into its thread.
            with pymongo.timeout(max(_LEAST_SECONDS, deadline - perf_counter())):
                future = asyncio.ensure_future(start())
        except BaseException:
            self._slots.release()
            raise
        future.add_done_callback(self._give_slot_back)
        try:
            result = await _result_of(future, deadline)
        except StorageUnavailable as error:
            self._note_failure(error)
            raise
        self._note_answer()
        return result

    async def _take_slot(self, deadline: float) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        if self._waiting >= self._waiting_limit:
            raise StorageOverloaded(f"{self._waiting} operations wait for MongoDB")
        self._waiting += 1
        try:
            async with asyncio.timeout(deadline - perf_counter()):
                await self._slots.acquire()
        except TimeoutError:
            raise StorageUnavailable("no MongoDB connection became free in time") from None
        finally:
            self._waiting -= 1

    def _give_slot_back(self, future: "asyncio.Future[T]") -> None:
        self._slots.release()
        if not future.cancelled():
            future.exception()  # Seen: nobody else asks when the caller has given up.


async def _result_of(future: "asyncio.Future[T]", deadline: float) -> T:
    # Not wait_for(): it would cancel the future, and with it the knowledge of when the thread
    # behind it is free again.
    done, _ = await asyncio.wait((future,), timeout=max(0.0, deadline - perf_counter()))
    if not done:
        raise StorageUnavailable("MongoDB did not answer in time")
    with request_errors():
        return future.result()


@contextmanager
def request_errors() -> Iterator[None]:
    """Translate the driver's errors that no request is to blame for; others are faults of ours.

    Raises:
        StorageUnavailable: MongoDB cannot be reached, is changing its primary or is full.
        StorageRefused: it does not let us do this, say since somebody has taken a right away.
    """
    try:
        with storage_errors():
            yield
    except PyMongoError as error:
        if _is_refusing(error):
            raise StorageRefused(f"MongoDB refuses: {_name_of(error)}") from error
        raise


@contextmanager
def storage_errors() -> Iterator[None]:
    """Translate the driver's errors that pass by themselves; the others are faults of ours.

    Raises:
        StorageUnavailable: MongoDB cannot be reached, is changing its primary or is full.
    """
    try:
        yield
    except PyMongoError as error:
        if _is_passing(error):
            raise StorageUnavailable("MongoDB cannot answer now") from error
        raise


@contextmanager
def refusals() -> Iterator[None]:
    """Translate the driver's errors that do not pass, where nothing but the server is to blame.

    Raises:
        StorageUnusable: MongoDB refuses, say the password; the text is in its words.
    """
    try:
        yield
    except (PyMongoError, StorageRefused) as error:
        reason = reason_of(error)
        raise StorageUnusable(f"MongoDB cannot be used: {reason}") from error


def reason_of(error: BaseException) -> str:
    """Return in one line why MongoDB does not answer or refuses; `error` or its cause knows.

    The driver adds the whole reply, or all that it knows of the servers.
    """
    cause = error.__cause__ or error
    reply = cause.details if isinstance(cause, OperationFailure) else None
    text = str((reply or {}).get("errmsg") or cause)
    return " ".join(_DRIVERS_STATE.sub("", text).split())


def failure_of(write_error: Mapping[str, Any]) -> Exception:
    """Return what went wrong with one document of a bulk write, which was not stored."""
    if write_error["code"] in _PASSING_CODES:
        return StorageUnavailable(write_error["errmsg"])
    if write_error["code"] in _REFUSING_CODES:
        return StorageRefused(write_error["errmsg"])
    return OperationFailure(write_error["errmsg"], write_error["code"], dict(write_error))


def is_without_sessions(error: PyMongoError) -> bool:
    """Tell whether a connection has no sessions, which the driver finds before it sends anything.

    It was made while its server was no member of a replica set, or not yet again.
    """
    return isinstance(error, ConfigurationError) and "Sessions are not supported" in str(error)


def _is_passing(error: PyMongoError) -> bool:
    if error.timeout or isinstance(error, (ConnectionFailure, ExecutionTimeout)):
        return True
    if isinstance(error, WriteConcernError):
        return error.code != _UNSATISFIABLE_WRITE_CONCERN
    if isinstance(error, BulkWriteError):
        refused, unconfirmed = error.details["writeErrors"], error.details["writeConcernErrors"]
        return all(failure["code"] in _PASSING_CODES for failure in refused) and not any(
            failure["code"] == _UNSATISFIABLE_WRITE_CONCERN for failure in unconfirmed
        )
    if isinstance(error, OperationFailure):
        return error.code in _PASSING_CODES
    if is_without_sessions(error):
        return True
    # The client was closed under a request that outlived the drain.
    return isinstance(error, InvalidOperation) and "after close" in str(error)


def _is_refusing(error: PyMongoError) -> bool:
    if isinstance(error, BulkWriteError):
        failures = (*error.details["writeErrors"], *error.details["writeConcernErrors"])
        known = _PASSING_CODES | _REFUSING_CODES
        return bool(failures) and all(failure["code"] in known for failure in failures)
    return isinstance(error, OperationFailure) and error.code in _REFUSING_CODES


def _name_of(error: PyMongoError) -> str:
    """Return the server's name of an error, which tells strangers nothing of users and hosts."""
    reply = error.details if isinstance(error, OperationFailure) else None
    return str((reply or {}).get("codeName") or getattr(error, "code", None) or "a write")
