"""A process of the service: the real cache and writing, on simulated servers."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

from simulated_history import Operation
from simulated_loop import SimulatedLoop
from simulated_mongo import (
    OPERATION_SECONDS,
    SLACK_SECONDS,
    SimulatedMongo,
    SimulatedRepository,
)
from simulated_server import RedisServer, SimulatedChannel
from simulated_shortcut import Text, Visits

from app.cache.answers import Answers
from app.cache.bodies import Bodies, Codec
from app.cache.local_stamps import LocalStamps
from app.cache.reads import Reads
from app.cache.redis_stamps import RedisStamps
from app.services.freshness import OperationTime, Source, Stamps, Write
from app.services.writing import Creates, announced

PATIENCE_SECONDS = 0.5
BUDGET_BYTES = 1 << 20

_SHORT = 0.6
"""Part of the reads that take the short cut."""


class Writer:
    """The stamps as writes see them; knows what the write is called whose task asks."""

    _write: ContextVar[Write] = ContextVar("write")

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps

    @property
    def write(self) -> Write:
        """The name of the write that is carried out by this task."""
        return self._write.get(Write(""))

    async def mark(self, scopes: Collection[str]) -> Write:
        """See `Stamps`."""
        # A set's order is another in each run of Python.
        write = await self._stamps.mark(sorted(scopes))
        self._write.set(write)
        return write

    async def done(self, scopes: Collection[str], write: Write) -> None:
        """See `Stamps`."""
        await self._stamps.done(sorted(scopes), write)


@dataclass(frozen=True)
class Build:
    """What a simulated service is made of; all that is real is the default."""

    server: type[RedisServer] = RedisServer
    mongo: type[SimulatedMongo] = SimulatedMongo
    stamps: type[RedisStamps] = RedisStamps
    bodies: type[Bodies[bytes]] = Bodies
    reads: type[Reads[bytes]] = Reads
    writer: type[Writer] = Writer
    announced: Callable[[Stamps, Collection[str]], AbstractAsyncContextManager[None]] = announced
    operation_time: type[OperationTime] = OperationTime
    mark_seconds: float = OPERATION_SECONDS + SLACK_SECONDS


class Uncounted:
    """Metrics that nobody reads; the real ones take longer than a whole run."""

    def __getattr__(self, name: str) -> "Uncounted":
        return self

    def __call__(self, *_: object, **__: object) -> None:
        """Do nothing."""


class NewTodo(NamedTuple):
    """A todo as far as `Creates` looks at it."""

    owner: str
    operation: Operation


class SimulatedProcess:
    """One process; when it crashes another one takes its place.

    Args:
        build: what it is made of.
        loop: runs it.
        server: its Redis; None to do without.
        mongo: its MongoDB.
        name: begins the names of its stamps and writes; no other process has it.
        keep_seconds: how long answers are kept.
    """

    def __init__(
        self,
        build: Build,
        loop: SimulatedLoop,
        server: RedisServer | None,
        mongo: SimulatedMongo,
        *,
        name: str,
        keep_seconds: float,
    ) -> None:
        self._build = build
        self.loop = loop
        self._server = server
        self.operation_time = build.operation_time()
        self._repository = SimulatedRepository(mongo, loop, self.operation_time)
        metrics: Any = Uncounted()
        answers = Answers[bytes](
            budget_bytes=BUDGET_BYTES, seconds=keep_seconds, weigh=len, monotonic=loop.time
        )
        self.channel: SimulatedChannel | None = None
        bodies = None
        self._stamps: Stamps
        if server is None:
            self._stamps = LocalStamps(mark_seconds=build.mark_seconds, monotonic=loop.time)
        else:
            channel: Any = SimulatedChannel(loop, server)
            self.channel = channel
            self._stamps = stamps = build.stamps(
                channel,
                namespace="",
                operation_time=self.operation_time,
                mark_seconds=build.mark_seconds,
                patience_seconds=PATIENCE_SECONDS,
                metrics=metrics,
            )
            # Their own names are as unique, and drawn by the system: no seed would bring them back.
            stamps._names = map(f"{name}-{{}}".format, count())
            bodies = build.bodies(
                channel,
                stamps=stamps,
                operation_time=self.operation_time,
                codec=Codec(bytes, Text),
                largest_bytes=1000,
                seconds=60.0,
                metrics=metrics,
            )
            bodies._name = name
        self._reads = build.reads(self._stamps, answers, bodies, metrics)
        self._visits = Visits(self._reads, metrics, loop)
        self._creator = build.writer(self._stamps)
        repository: Any = self
        self._creates = Creates(repository, self._creator, waiting_limit=100, metrics=metrics)

    async def read(self, scope: str, operation: Operation) -> None:
        """Read todos through the cache, on one of the two roads."""
        todos = operation.todos

        async def load(_: str | None) -> Text:
            return Text(await self._repository.read(todos))

        source = Source(scope, ",".join(todos), load)
        if self.loop.timeline.random.random() < _SHORT:
            body = await self._visits.read(source)
        else:
            body, _ = await self._reads.read_on(source, await self._reads.stamp_of(scope))
        operation.versions = dict(zip(todos, map(int, body.split(b",")), strict=True))

    async def revise(self, scope: str, operation: Operation) -> None:
        """Write a todo by itself, as `TodoService.revise` does."""
        writer = self._build.writer(self._stamps)
        async with self._build.announced(writer, (scope,)):
            await self._repository.write([operation], self._marked_at(writer))

    async def create(self, scope: str, operation: Operation) -> None:
        """Write a todo together with others, as `TodoService.add` does."""
        todo: Any = NewTodo(scope, operation)
        await self._creates.add(todo)

    async def add_each(self, todos: Sequence[NewTodo]) -> Sequence[None]:
        """Store what `Creates` has gathered."""
        operations = [todo.operation for todo in todos]
        await self._repository.write(operations, self._marked_at(self._creator))
        return [None] * len(todos)

    def _marked_at(self, writer: Writer) -> float:
        if self._server is None:
            return self.loop.time()
        return self._server.marked_at(writer.write.name)
