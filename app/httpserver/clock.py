"""Time for many connections at the price of one timer.

A timer per request would cost about as much as a ready answer (docs/decisions/0005). Instead
everything that waits has a deadline, and once per second those are looked at whose second has come.
A deadline that moves into the future, as an idle connection's does with every request, costs the
setting of an attribute.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from math import ceil, inf
from time import time
from typing import Protocol

from app.httpserver.encoding import encode_date

_TICK_SECONDS = 1.0

_STEP_SECONDS = 0.005
_STEPS = 150
"""Into which a tick is divided: many clients that came together are late together, and each takes
up to 0.13 ms that the others wait (docs/decisions/0005). They leave time for the next tick."""


class Waiting(Protocol):
    """Something with a deadline. ``slot`` belongs to the `Clock`."""

    deadline: float
    slot: int

    def expire(self) -> None:
        """Act on a deadline that has passed; may set another by `Clock.watch`."""


class Clock:
    """The coarse time of a server, its Date field, and the deadlines of its connections.

    Attributes:
        now: monotonic seconds, up to a second old.
        date: the Date field with its line end.
    """

    NO_SLOT = sys.maxsize

    def __init__(self, *, monotonic: Callable[[], float], wall: Callable[[], float] = time) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._slots: dict[int, set[Waiting]] = {}
        self._due: deque[Waiting] = deque()  # Their second has come.
        self._per_step = 0
        self._stalled = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._next_step: asyncio.TimerHandle | None = None
        self.now = self._ticked = monotonic()
        self.date = encode_date(wall())
        self._next_slot = int(self.now)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to tick, until `stop`."""
        if self._timer is None:
            self._turn(loop)

    def stop(self) -> None:
        """Tick no longer; deadlines stay as they are."""
        for timer in (self._timer, self._next_step):
            if timer is not None:
                timer.cancel()
        self._timer = self._next_step = None

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        # With the wall clock's seconds, so that Date is never a second late.
        self._timer = loop.call_later(
            _TICK_SECONDS - self._wall() % _TICK_SECONDS, self._turn, loop
        )
        self.tick()
        if self._next_step is None:
            self._step(loop)

    def _step(self, loop: asyncio.AbstractEventLoop) -> None:
        has_more = self.expire_some()
        self._next_step = loop.call_later(_STEP_SECONDS, self._step, loop) if has_more else None

    def refresh(self) -> float:
        """Read the time anew and return it, where a second more or less would be unfair."""
        self.now = self._monotonic()
        return self.now

    def tick(self) -> None:
        """Read the time anew, and find out what expires now, step by step.

        What passed while the loop stood still gets another second: what it waits for may have come.
        """
        self._stalled = max(0.0, self._monotonic() - self._ticked - 2 * _TICK_SECONDS)
        self._ticked = self.refresh()
        self.date = encode_date(self._wall())
        while self._next_slot <= self.now:
            self._due += self._slots.pop(self._next_slot, ())
            self._next_slot += 1
        self._per_step = ceil(len(self._due) / _STEPS)

    def expire_some(self) -> bool:
        """Take a step: let everything expire that is late in it; tell whether there are more."""
        for _ in range(min(self._per_step, len(self._due))):
            waiting = self._due.popleft()
            if waiting.slot >= self._next_slot:
                continue  # Forgotten since its second has come.
            waiting.slot = self.NO_SLOT
            if waiting.deadline <= self.now - self._stalled:
                waiting.expire()
            else:
                self.watch(waiting, waiting.deadline)
        return bool(self._due)

    def watch(self, waiting: Waiting, deadline: float) -> None:
        """Let something expire at a time of `now`'s scale, up to 2 s late; inf means never."""
        waiting.deadline = deadline
        if deadline == inf:
            return
        # A later deadline is found out about in the slot it has: see `tick`.
        slot = max(int(deadline) + 1, self._next_slot)
        if slot < waiting.slot:
            self.forget(waiting)
            self._slots.setdefault(slot, set()).add(waiting)
            waiting.slot = slot

    def forget(self, waiting: Waiting) -> None:
        """Hold no reference to something that is closed."""
        if waiting.slot != self.NO_SLOT:
            self._slots.get(waiting.slot, set()).discard(waiting)
            waiting.slot = self.NO_SLOT
