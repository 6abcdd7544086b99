"""One random run: processes, clients and faults, all drawn from one seed."""

import asyncio
import random as global_random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

from simulated_history import DONE, FAILED, UNKNOWN, History, Operation, Violation
from simulated_loop import SimulatedLoop, Timeline
from simulated_process import Build, SimulatedProcess
from simulated_server import RedisServer

from app.errors import StorageUnavailable, TodoError

Told = Callable[[str], None]


@dataclass(frozen=True)
class Kind:
    """What may go wrong in a world, and what is promised in it.

    Attributes:
        faults: of the servers and the network; processes crash and stop in all worlds.
        is_late: writes may take effect after their mark's deadline.
        is_strict: see `History.violations`.
    """

    name: str
    faults: tuple[str, ...] = ()
    has_redis: bool = True
    is_late: bool = False
    is_strict: bool = True
    process_faults: tuple[str, ...] = ("crash", "pause", "freeze")


_REDIS_FAULTS = ("restart", "restart", "flush", "evict", "evict", "stop", "cut")

FAULTS = Kind("faults", _REDIS_FAULTS)
DEPOSED = Kind("deposed", ("depose", "depose", "evict"), is_strict=False)
FROZEN = Kind("frozen", ("depose",), is_strict=False, process_faults=("freeze",))
LATE = Kind("late", _REDIS_FAULTS, is_late=True, is_strict=False)
LOCAL = Kind("local", has_redis=False, process_faults=("pause", "pause"))

CLOCK = Kind("clock", ("set_back", "set_back", "restart", "flush", "cut"))

KINDS = (*[FAULTS] * 6, DEPOSED, DEPOSED, FROZEN, LATE, LATE, LOCAL, CLOCK)
"""From which a world is drawn, faults of Redis the most often."""

TWO_FAULTS = Kind("two faults", (*_REDIS_FAULTS, "depose", "depose"), is_strict=False)
DEPOSED_STRICT = Kind("deposed, strict", ("depose", "depose", "evict"))
LATE_STRICT = Kind("late, strict", is_late=True, process_faults=())
LOCAL_CRASHES = Kind("local, crashes", has_redis=False, process_faults=("crash", "pause"))
BEYOND = (TWO_FAULTS, DEPOSED_STRICT, LATE_STRICT, LOCAL_CRASHES)
"""Worlds in which more goes wrong than is promised against."""

ALL_KINDS = {kind.name: kind for kind in (FAULTS, DEPOSED, FROZEN, LATE, LOCAL, CLOCK, *BEYOND)}


class World:
    """A service and its surroundings, from beginning to end.

    Args:
        seed: draws everything.
        build: what the service is made of.
        kind: what may go wrong; drawn too when None.
        is_traced: keep the steps for those who want to read them.
    """

    def __init__(
        self,
        seed: int,
        build: Build | None = None,
        kind: Kind | None = None,
        *,
        is_traced: bool = False,
    ) -> None:
        self.seed = seed
        random = self._random = Random(seed)
        global_random.seed(seed)  # The cache draws its pauses from it.
        self.kind = kind or random.choice(KINDS)
        self._build = build = build or Build()
        self.timeline = Timeline(random, is_traced=is_traced)
        self.history = History()
        self._server: RedisServer | None = None
        if self.kind.has_redis:
            self._server = build.server(self.timeline)
            if random.random() < 0.9:
                # It has been up for long: all may be kept from the beginning.
                self._server.data[f"{self._server.prefix}:born"] = -1_000_000
        self._mongo = build.mongo(
            self.timeline, fails=random.random() < 0.5, is_late=self.kind.is_late
        )
        self._keep_seconds = random.choice((0.05, 60.0, 60.0))
        self._count = random.randint(2, 4) if self.kind.has_redis else 1
        self._names = count()
        self._processes = [self._start_process() for _ in range(self._count)]
        self._old: list[SimulatedProcess] = []
        self._scopes = self._draw_scopes()
        self._left = random.randint(4, 14)
        self._waiting: dict[int, object] = {}
        self._mongo.committed = self._wake
        self._under_way: dict[Operation, Told] = {}
        self._asked = 0
        self._clients = random.randint(2, 4)
        self._writes = random.choice((0.15, 0.3, 0.5))
        self._curious = random.choice((0.0, 0.7))
        self._think_seconds = random.choice((0.002, 0.02, 0.3, 1.5))
        # Few kinds of faults at a time find more than all of them together.
        names = (*self.kind.faults, *self.kind.process_faults)
        self._fault_names = random.sample(names, k=min(2, len(names)))
        # The operations during which something goes wrong.
        times = random.choice((0, 1, 1, 2, 3)) if names else 0
        self._faults = {random.randint(1, self._left) for _ in range(times)}

    def run(self) -> list[Violation]:
        """Let it happen; return what was wrong."""
        try:
            for number in range(self._clients):
                self._go_on(number)
            self.timeline.run(lambda: self._clients > 0)
            stuck = [f"{operation} never ended" for operation in self._under_way]
        finally:
            asyncio._set_running_loop(None)
            for process in (*self._processes, *self._old):
                process.loop.close()
        violations = self.history.violations(is_strict=self.kind.is_strict)
        return violations + [Violation(self.timeline.steps, text) for text in stuck]

    def _draw_scopes(self) -> dict[str, tuple[str, ...]]:
        counts = [self._random.randint(1, 2) for _ in range(self._random.choice((1, 1, 1, 2)))]
        return {
            f"scope{place}": tuple(f"todo{place}{number}" for number in range(count))
            for place, count in enumerate(counts)
        }

    def _start_process(self) -> SimulatedProcess:
        loop = SimulatedLoop(self.timeline)
        return SimulatedProcess(
            self._build,
            loop,
            self._server,
            self._mongo,
            name=f"process{next(self._names)}",
            keep_seconds=self._keep_seconds,
        )

    # What clients do: one operation after the other, each at any process.

    def _go_on(self, client: int) -> None:
        if self._left == 0:
            self._clients -= 1
            return
        self._left -= 1
        random = self._random.random
        seconds = random() * (0.002 if random() < 0.5 else self._think_seconds)
        self._wait(client, seconds)

    def _wait(self, client: int, seconds: float) -> None:
        self._waiting[client] = reason = object()
        self.timeline.after(seconds, self._ask, client, reason)

    def _wake(self) -> None:
        """Let those who wait look at what has just happened."""
        for client in list(self._waiting):
            if self._random.random() < self._curious:
                self._wait(client, self.timeline.delay())

    def _ask(self, client: int, reason: object) -> None:
        if self._waiting.get(client) is not reason:
            return
        del self._waiting[client]
        random = self._random
        place = random.randrange(self._count)
        scope = random.choice(list(self._scopes))
        todos = self._scopes[scope]
        is_write = random.random() < self._writes
        if is_write or random.random() < 0.5:
            todos = (random.choice(todos),)
        process = self._processes[place]
        action = process.read
        if is_write:
            action = process.create if random.random() < 0.4 else process.revise
        self._asked += 1
        if self._asked in self._faults:
            self.timeline.after(self.timeline.delay() * 2, self._fail, place)
        what = "write" if is_write else "read"
        name = f"{what} {self._asked} of {'+'.join(todos)}"
        operation = Operation(name, is_write, place, todos)
        process.loop.call_soon(self._begin, process, operation, action, scope)
        self._under_way[operation] = lambda outcome: self._end(client, operation, outcome)

    def _begin(
        self, process: SimulatedProcess, operation: Operation, action: Any, scope: str
    ) -> None:
        self.history.begin(operation)
        operation.stored = {todo: self._mongo.versions.get(todo, 0) for todo in operation.todos}
        self.timeline.tell("begins:", operation)
        task = process.loop.create_task(self._perform(action, scope, operation))
        if self._random.random() < 0.03:
            self.timeline.after(self.timeline.delay() * 3, self._cancel, process, task)

    async def _perform(self, action: Any, scope: str, operation: Operation) -> None:
        outcome = UNKNOWN
        try:
            await action(scope, operation)
            outcome = DONE
        except StorageUnavailable:
            pass
        except TodoError:
            outcome = FAILED
        finally:
            if operation in self._under_way:
                self._under_way[operation](outcome)

    def _cancel(self, process: SimulatedProcess, task: "asyncio.Task[None]") -> None:
        process.loop.call_soon(task.cancel)

    def _end(self, client: int, operation: Operation, outcome: str) -> None:
        del self._under_way[operation]
        self.history.end(operation, outcome, self.timeline.steps)
        seen = "" if operation.is_write else operation.versions
        self.timeline.tell("ends:", operation, outcome, seen)
        self._wake()
        self._go_on(client)

    # What goes wrong.

    def _fail(self, place: int) -> None:
        if self._random.random() < 0.5:
            place = self._random.randrange(self._count)
        getattr(self, f"_{self._random.choice(self._fault_names)}")(place)

    def _crash(self, place: int) -> None:
        self.timeline.tell("crashes: process", place)
        old = self._processes[place]
        old.loop.is_dead = True
        if old.channel is not None:
            old.channel.lose()
        self._old.append(old)
        self._processes[place] = self._start_process()
        for operation in [each for each in self._under_way if each.place == place]:
            self._under_way[operation](UNKNOWN)

    def _pause(self, place: int) -> None:
        seconds = self._draw_pause()
        self.timeline.tell("is stopped: process", place, "for", seconds)
        self._processes[place].loop.pause(seconds)

    def _freeze(self, place: int) -> None:
        channel = self._processes[place].channel
        assert channel is not None
        channel.freeze(self._random.random() * 4)

    def _draw_pause(self) -> float:
        return self._random.choice((0.01, 0.3, 1.0, 3.0)) * self._random.random()

    def _cut(self, place: int) -> None:
        self.timeline.tell("loses its way to redis: process", place)
        channel = self._processes[place].channel
        assert channel is not None
        channel.cut(self._random.random() * 1.5)

    def _restart(self, _: int) -> None:
        self._redis.restart(self._random.random() ** 4 * 0.3, loads=self._random.random() < 0.7)

    def _flush(self, _: int) -> None:
        self._redis.flush()

    def _set_back(self, _: int) -> None:
        self._redis.set_clock_back(self._random.choice((1.0, 10.0, 1000.0)) * self._random.random())

    def _evict(self, _: int) -> None:
        self._redis.evict()

    def _stop(self, _: int) -> None:
        self._redis.stop(self._random.random() * 1.5)

    def _depose(self, _: int) -> None:
        self._mongo.depose(self._random.random() * 6)

    @property
    def _redis(self) -> RedisServer:
        assert self._server is not None
        return self._server
