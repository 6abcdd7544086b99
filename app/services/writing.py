"""Writes that every later read sees, and creates that share one."""

import asyncio
from asyncio import Future, Task
from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from app.domain.todo import Todo
from app.errors import StorageOverloaded, StorageUnavailable, TodoError
from app.metrics import Metrics
from app.services.freshness import Stamps
from app.services.ports import TodoRepository

PATIENCE_SECONDS = 0.1
"""For a write that others wait behind: one takes milliseconds, and one that hangs seconds."""

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

    The next begins when the one before has ended, or takes too long.

    Nobody waits when nothing is under way, so one alone is as quick as without this; and the more
    there are, the less each of them costs. Each is acknowledged by itself, when the write that
    holds it is durable.

    Args:
        repository: where they are stored.
        stamps: announces the writes.
        waiting_limit: todos that may wait for their write; one more is refused.
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
        self._waiting: deque[tuple[Todo, Future[None]]] = deque()
        self._writing: Task[None] | None = None
        self._writes: set[Task[None]] = set()

    async def add(self, todo: Todo) -> None:
        """Store a new todo.

        Raises:
            StorageOverloaded: too many wait; it was not stored.
            StorageUnavailable: whether it is stored is unknown.
        """
        if len(self._waiting) >= self._waiting_limit:
            raise StorageOverloaded(f"{len(self._waiting)} new todos wait to be stored")
        stored: Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((todo, stored))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await stored

    async def _write(self) -> None:
        try:
            while self._waiting:
                size = min(len(self._waiting), _TODOS_PER_WRITE)
                batch = [self._waiting.popleft() for _ in range(size)]
                write = asyncio.create_task(self._store_and_tell(batch))
                self._writes.add(write)
                write.add_done_callback(self._writes.discard)
                # Nobody shall wait for two writes that hang.
                await asyncio.wait((write,), timeout=self._patience_seconds)
        finally:
            self._writing = None

    async def _store_and_tell(self, batch: "Sequence[tuple[Todo, Future[None]]]") -> None:
        failures = await self._store([todo for todo, _ in batch])
        for (_, stored), failure in zip(batch, failures, strict=True):
            _tell(stored, failure)

    async def _store(self, todos: Sequence[Todo]) -> Sequence[Exception | None]:
        self._metrics.creates(len(todos))
        try:
            async with announced(self._stamps, {todo.owner for todo in todos}):
                return await self._repository.add_each(todos)
        except TodoError as error:
            # One for each: an error that is raised in many places gathers all their frames.
            return [type(error)(*error.args) for _ in todos]
        except Exception as error:  # noqa: BLE001 - a fault is theirs who wait, not this task's.
            return [error] * len(todos)


def _tell(stored: "Future[None]", failure: Exception | None) -> None:
    if stored.done():  # Who waited has been cancelled.
        return
    if failure is None:
        stored.set_result(None)
    else:
        stored.set_exception(failure)
