"""Writes that every later read sees, and creates that share one."""

import asyncio
from asyncio import Event, Future, Task, TimerHandle
from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from app.domain.todo import Todo
from app.errors import StorageOverloaded, StorageUnavailable, TodoError
from app.metrics import Metrics
from app.services.freshness import Stamps
from app.services.ports import TodoRepository

PATIENCE_SECONDS = 0.1
"""For a write that others wait behind: one takes milliseconds, and one that hangs seconds."""

LATEST_SECONDS = 0.5
"""A write that could not begin so long after it was announced is not begun: it would outlive its
mark. With what `RedisStamps` allows an announcement it is less than marks live longer than writes
(`app.bootstrap`)."""

_TODOS_PER_WRITE = 1000
"""16 MiB of the longest contents at most, a third of what MongoDB takes in one message."""


@asynccontextmanager
async def announced(stamps: Stamps, scopes: Collection[str]) -> AsyncIterator[None]:
    """Write in the body of the ``async with``; what comes after may be acknowledged.

    Raises:
        StorageUnavailable: the write could not be announced and was not begun, or its end could
            not be told, and it must not be acknowledged.
    """
    write = await stamps.mark(scopes)
    try:
        yield
    except StorageOverloaded:
        await stamps.done(scopes, write)
        raise
    except StorageUnavailable:
        # Nobody knows whether it took place, or will: the mark stays until it cannot any more.
        raise
    except TodoError:
        await stamps.done(scopes, write)
        raise
    await stamps.done(scopes, write)


class Creates:
    """Stores new todos, many in one write: while one is under way the next gathers.

    The next is announced at once and begins when MongoDB has ended the one before, or takes too
    long. Nobody waits when nothing is under way, so one alone is as quick as without this; and the
    more there are, the less each of them costs. Each is acknowledged by itself, when the write that
    holds it is durable and its end has been told.

    Args:
        repository: where they are stored.
        stamps: announces the writes.
        waiting_limit: todos whose write has not begun; one more is refused.
        metrics: where the sizes of writes are counted.
        patience_seconds: how long the next write waits for the one before.
    """

    def __init__(
        self,
        repository: TodoRepository,
        stamps: Stamps,
        *,
        waiting_limit: int,
        metrics: Metrics,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._repository = repository
        self._stamps = stamps
        self._metrics = metrics
        self._patience_seconds = patience_seconds
        self._waiting_limit = waiting_limit
        self._unbegun = 0
        self._waiting: deque[_Entry] = deque()  # Those that `_gathering` has no place for.
        self._gathering: _Batch | None = None
        self._last_over = Event()
        self._last_over.set()
        self._writes: set[Task[None]] = set()

    def add(self, todo: Todo) -> "Future[None]":
        """Store a new todo; return what is done when it is stored.

        The future raises `StorageOverloaded` if too many wait and it was not stored, and
        `StorageUnavailable` if it is unknown whether it is.
        """
        entry = _Entry(todo, asyncio.get_running_loop().create_future())
        if self._unbegun >= self._waiting_limit:
            error = StorageOverloaded(f"{self._unbegun} new todos wait to be stored")
            entry.stored.set_exception(error)
            return entry.stored
        self._unbegun += 1
        batch = self._gathering
        if batch is not None and batch.has_room_for(todo):
            batch.entries.append(entry)
        else:
            self._waiting.append(entry)
            if batch is None:
                self._gather()
        return entry.stored

    def _gather(self) -> None:
        size = min(len(self._waiting), _TODOS_PER_WRITE)
        entries = [self._waiting.popleft() for _ in range(size)]
        batch = self._gathering = _Batch(entries, before=self._last_over)
        self._last_over = batch.over
        # Nobody shall join one that hangs, nor wait behind it.
        loop = asyncio.get_running_loop()
        batch.patience = loop.call_later(self._patience_seconds, self._close, batch)
        write = asyncio.create_task(self._store_and_tell(batch))
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)

    def _close(self, batch: "_Batch") -> None:
        """Let nobody join a batch any more; the next one gathers."""
        if self._gathering is batch:
            batch.patience.cancel()
            self._gathering = None
            if self._waiting:
                self._gather()

    async def _store_and_tell(self, batch: "_Batch") -> None:
        try:
            failures = await self._store(batch)
        finally:
            # If it could not be announced.
            self._close(batch)
            self._begin(batch)
            batch.over.set()
        for entry, failure in zip(batch.entries, failures, strict=True):
            _tell(entry.stored, failure)

    async def _store(self, batch: "_Batch") -> Sequence[Exception | None]:
        try:
            batch.owners = {entry.todo.owner for entry in batch.entries}
            if batch.before.is_set():
                # PERF: if all could join the first, nobody would be left to share the next: what
                # is written and what comes in and goes out would take turns (docs/decisions/0006).
                self._close(batch)
            async with announced(self._stamps, batch.owners):
                await self._wait_for_turn(batch)
                self._close(batch)
                self._begin(batch)
                self._metrics.creates(len(batch.entries))
                failures = await self._repository.add_each([entry.todo for entry in batch.entries])
                batch.over.set()
                return failures
        except TodoError as error:
            # One for each: an error that is raised in many places gathers all their frames.
            return [type(error)(*error.args) for _ in batch.entries]
        except Exception as error:  # noqa: BLE001 - a fault is theirs who wait, not this task's.
            return [error] * len(batch.entries)

    async def _wait_for_turn(self, batch: "_Batch") -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience_seconds):
                await batch.before.wait()
        if loop.time() - begun > LATEST_SECONDS:
            raise StorageOverloaded("the process stood still while a write waited for its turn")

    def _begin(self, batch: "_Batch") -> None:
        if not batch.has_begun:
            batch.has_begun = True
            self._unbegun -= len(batch.entries)


class _Entry(NamedTuple):
    todo: Todo
    stored: "Future[None]"


class _Batch:
    """New todos that share a write."""

    patience: TimerHandle

    def __init__(self, entries: list[_Entry], *, before: Event) -> None:
        self.entries = entries
        self.has_begun = False  # Its todos wait no more.
        self.owners: Collection[str] | None = None  # Those that are announced.
        self.before = before
        self.over = Event()  # MongoDB has ended the write.

    def has_room_for(self, todo: Todo) -> bool:
        """Tell whether a todo can join: its owner is announced, or will be."""
        is_announced = self.owners is None or todo.owner in self.owners
        return is_announced and len(self.entries) < _TODOS_PER_WRITE


def _tell(stored: "Future[None]", failure: Exception | None) -> None:
    if stored.done():  # Who waited has been cancelled.
        return
    if failure is None:
        stored.set_result(None)
    else:
        stored.set_exception(failure)
