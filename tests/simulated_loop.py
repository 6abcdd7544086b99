"""Virtual time, and an event loop for each simulated process on it.

Nothing here waits: the time jumps from event to event. What happens first is drawn, as delays of
messages and of turns of the loops, from one seeded `Random`; the same seed gives the same run.
"""

import asyncio
from asyncio import Future, Task
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

Action = Callable[..., object]


class Timeline:
    """Events in the order of their virtual times.

    Args:
        random: draws all that is left to chance.
        is_traced: keep a line for each step that is told.
    """

    def __init__(self, random: Random, *, is_traced: bool = False) -> None:
        self.random = random
        self.now = 0.0
        self.steps = 0
        self.usual = random.choice((0.5, 0.7, 0.9))
        self.trace: list[str] | None = [] if is_traced else None
        self._events: list[tuple[float, int, Action, tuple[Any, ...]]] = []
        self._numbers = count()

    def after(self, seconds: float, action: Action, *arguments: Any) -> None:
        """Do something some time from now."""
        heappush(self._events, (self.now + seconds, next(self._numbers), action, arguments))

    def at(self, when: float, action: Action, *arguments: Any) -> None:
        """Do something at a time, after all that was planned for the same time before."""
        heappush(self._events, (when, next(self._numbers), action, arguments))

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Let things happen for as long as ``goes_on`` says, or until nothing is left to come."""
        events = self._events
        while events and goes_on():
            self.now, _, action, arguments = heappop(events)
            self.steps += 1
            action(*arguments)

    def delay(self) -> float:
        """Draw the seconds that a message takes."""
        chance = self.random.random()
        if chance < self.usual:
            return chance * 0.001
        if chance < 0.97:
            return self.random.random() * 0.01
        return self.random.random() * 0.3

    def tell(self, *words: object) -> None:
        """Keep a line for those who replay this run."""
        if self.trace is not None:
            text = " ".join(map(str, words))
            self.trace.append(f"{self.steps:6} {self.now * 1000:10.3f} ms  {text}")


class _Handle:
    __slots__ = ("action", "arguments", "is_cancelled")

    def __init__(self, action: Action, arguments: tuple[Any, ...]) -> None:
        self.action = action
        self.arguments = arguments
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled


class SimulatedLoop(asyncio.AbstractEventLoop):
    """The event loop of one process: what is ready runs in order, turn by turn.

    Only as much of it as the simulated code uses. A process that is paused runs no turn, one that
    has crashed never again.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.is_dead = False
        self._paused_until = 0.0
        self._ready: deque[_Handle] = deque()
        self._has_turn = False
        self._tasks: list[Task[Any]] = []

    def time(self) -> float:
        return self.timeline.now

    def get_debug(self) -> bool:
        return False

    def create_future(self) -> "Future[Any]":
        return Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], **_: Any) -> "Task[Any]":
        task = Task(coro, loop=self)
        self._tasks.append(task)
        return task

    def call_soon(self, callback: Action, *args: Any, context: Context | None = None) -> _Handle:
        # The context is not entered: nothing that is simulated has context variables.
        handle = _Handle(callback, args)
        self._make_ready(handle)
        return handle

    def call_later(
        self, delay: float, callback: Action, *args: Any, context: Context | None = None
    ) -> _Handle:
        handle = _Handle(callback, args)
        self.timeline.after(max(0.0, delay), self._make_ready, handle)
        return handle

    def call_at(
        self, when: float, callback: Action, *args: Any, context: Context | None = None
    ) -> _Handle:
        return self.call_later(when - self.timeline.now, callback, *args, context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Say nothing: tasks of crashed processes are never ended."""

    def pause(self, seconds: float) -> None:
        """Run nothing for some time, as a process that is stopped."""
        self._paused_until = self.timeline.now + seconds

    def close(self) -> None:
        """End what is under way, without letting it do anything more."""
        self.is_dead = True
        asyncio._set_running_loop(self)
        for task in self._tasks:
            if not task.done():
                task.get_coro().close()
        asyncio._set_running_loop(None)

    def _make_ready(self, handle: _Handle) -> None:
        if handle.is_cancelled:
            return
        self._ready.append(handle)
        if not self._has_turn:
            self._plan_turn()

    def _plan_turn(self) -> None:
        self._has_turn = True
        timeline = self.timeline
        chance = timeline.random.random()
        timeline.after(chance * 0.0002 if chance < 0.95 else timeline.delay(), self._turn)

    def _turn(self) -> None:
        if self.is_dead:
            return
        if self._paused_until > self.timeline.now:
            self.timeline.at(self._paused_until, self._turn)
            return
        asyncio._set_running_loop(self)
        ready = self._ready
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.is_cancelled:
                handle.action(*handle.arguments)
        asyncio._set_running_loop(None)
        self._has_turn = False
        if ready:
            self._plan_turn()
