"""MongoDB as the simulated processes see it: versions of todos, and what may go wrong."""

from asyncio import Future
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from simulated_history import Operation
from simulated_loop import SimulatedLoop, Timeline

from app.errors import StorageUnavailable, TodoNotFound
from app.services.freshness import OperationTime

OPERATION_SECONDS = 1.0
"""Deadline of an operation, for the driver and for the server."""

SLACK_SECONDS = 0.4
"""Between a mark and the begin of its write."""


class _State(NamedTuple):
    time: int
    versions: dict[str, int]


class SimulatedMongo:
    """A replica set with versions of todos.

    Args:
        timeline: the time.
        fails: operations may fail.
        is_late: writes may take effect after their deadline.
    """

    def __init__(self, timeline: Timeline, *, fails: bool, is_late: bool) -> None:
        self._timeline = timeline
        self._fails = fails
        self._is_late = is_late
        self._write_seconds = timeline.random.choice((0.002, 0.02, OPERATION_SECONDS))
        self._time = 0
        self.versions: dict[str, int] = {}
        self._deposed: _State | None = None
        self.committed: Callable[[], object] = lambda: None

    def depose(self, seconds: float) -> None:
        """Let the primary of now answer some reads, from its own past, for some time."""
        self._timeline.tell("the primary is deposed and does not know it")
        self._deposed = _State(self._time, dict(self.versions))
        self._timeline.after(seconds, self._end_deposed)

    def read(self, loop: SimulatedLoop, todos: Sequence[str], newest: int) -> Future[bytes]:
        """Return the versions of todos; not from before a time."""
        future = loop.create_future()
        self._timeline.after(self._timeline.delay(), self._read, loop, future, todos, newest)
        return future

    def write(
        self, loop: SimulatedLoop, operations: Sequence[Operation], marked_at: float
    ) -> Future[int]:
        """Write todos all at once; return the time that the server tells."""
        timeline, future = self._timeline, loop.create_future()
        if self.is_refused(marked_at):
            timeline.after(timeline.delay(), _settle, loop, future, StorageUnavailable("too late"))
            return future
        chance = timeline.random.random() if self._fails else 0.0
        delay = self._delay_of_write()
        if chance < 0.7:
            timeline.after(delay, self._commit, loop, future, operations)
        elif chance < 0.78:
            timeline.after(delay, _settle, loop, future, TodoNotFound())
        else:
            given_up = timeline.random.random() * delay * 2
            timeline.after(given_up, _settle, loop, future, StorageUnavailable("who knows"))
            if chance < 0.95:
                timeline.after(delay, self._commit, loop, None, operations)
        return future

    def is_refused(self, marked_at: float) -> bool:
        """Tell whether a write comes too late to be done before its mark's deadline.

        A process that is stopped between the two can do this to the real one: see "What is not
        promised" in docs/consistency.md.
        """
        return not self._is_late and self._timeline.now > marked_at + SLACK_SECONDS

    def _delay_of_write(self) -> float:
        random = self._timeline.random.random
        if self._is_late and random() < 0.3:
            return random() * 3 * OPERATION_SECONDS
        return random() * self._write_seconds

    def _read(
        self, loop: SimulatedLoop, future: Future[bytes], todos: Sequence[str], newest: int
    ) -> None:
        timeline, deposed = self._timeline, self._deposed
        chance = timeline.random.random()
        state = _State(self._time, self.versions)
        if deposed is not None and chance < 0.5 and self.may_answer(deposed.time, newest):
            timeline.tell("  mongo: the deposed primary answers")
            state = deposed
        elif self._fails and chance > 0.97:
            _later(timeline, loop, future, StorageUnavailable("not now"))
            return
        body = ",".join(str(state.versions.get(todo, 0)) for todo in todos).encode()
        timeline.tell("  mongo: read", *todos, "->", body)
        _later(timeline, loop, future, body)

    def may_answer(self, time: int, newest: int) -> bool:
        """Tell whether a server that has heard of all up to a time may answer a read."""
        return time >= newest

    def _commit(
        self, loop: SimulatedLoop, future: Future[int] | None, operations: Sequence[Operation]
    ) -> None:
        self._time += 1
        for operation in operations:
            for todo in operation.todos:
                version = self.versions.get(todo, 0) + 1
                self.versions[todo] = operation.versions[todo] = version
                self._timeline.tell("  mongo: committed", todo, "at", version, "by", operation)
        self.committed()
        if future is not None:
            _later(self._timeline, loop, future, self._time)

    def _end_deposed(self) -> None:
        self._deposed = None


def _later(timeline: Timeline, loop: SimulatedLoop, future: Future[Any], answer: Any) -> None:
    timeline.after(timeline.delay(), _settle, loop, future, answer)


def _settle(loop: SimulatedLoop, future: Future[Any], answer: Any) -> None:
    loop.call_soon(_set, future, answer)


def _set(future: Future[Any], answer: Any) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


class SimulatedRepository:
    """What one process has of MongoDB; does what `MongoTodoRepository` does with the times."""

    def __init__(
        self, mongo: SimulatedMongo, loop: SimulatedLoop, operation_time: OperationTime
    ) -> None:
        self._mongo = mongo
        self._loop = loop
        self._operation_time = operation_time

    async def read(self, todos: Sequence[str]) -> bytes:
        """Return the versions of todos."""
        return await self._mongo.read(self._loop, todos, self._operation_time.newest)

    async def write(self, operations: Sequence[Operation], marked_at: float) -> None:
        """Write todos all at once."""
        time = await self._mongo.write(self._loop, operations, marked_at)
        self._operation_time.hear_of(time)
