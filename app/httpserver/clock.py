"""Time for many connections at the price of one timer.

A timer per request would cost about as much as a ready answer (docs/decisions/0005). Instead
everything that waits has a deadline, and each second those are looked at whose second has come; a
few at a time, for many that came together are late together. A deadline that moves into the future,
as an idle connection's does with every request, costs the setting of an attribute.
"""

import asyncio
import sys
from collections.abc import Callable
from math import inf
from time import time
from typing import Protocol

from app.httpserver.encoding import encode_date

_TICK_SECONDS = 1.0

_STEP_SECONDS = 0.005
_SPREAD_SECONDS = 0.75
"""Over which those that a tick has found are looked at, each step its part of them."""


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
        self._due: set[Waiting] = set()  # Of the slots before `_next_slot`: their second has come.
        self._found = 0  # That were due at the tick.
        self._timer: asyncio.TimerHandle | None = None
        self._next_step: asyncio.TimerHandle | None = None
        self.now = self._ticked = self._passed = monotonic()
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
        self._next_step = None
        self.expire((self._monotonic() - self._ticked + _STEP_SECONDS) / _SPREAD_SECONDS)
        if self._due and self._timer is not None:
            self._next_step = loop.call_later(_STEP_SECONDS, self._step, loop)

    def refresh(self) -> float:
        """Read the time anew and return it, where a second more or less would be unfair."""
        self.now = self._monotonic()
        return self.now

    def tick(self) -> None:
        """Read the time anew, and find those whose second has come, for `expire`.

        What passed while the loop stood still gets another second: what it waits for may have come.
        """
        stalled = max(0.0, self._monotonic() - self._ticked - 2 * _TICK_SECONDS)
        self._ticked = self.refresh()
        self._passed = self._ticked - stalled
        self.date = encode_date(self._wall())
        while self._next_slot <= self.now:
            self._due |= self._slots.pop(self._next_slot, set())
            self._next_slot += 1
        self._found = len(self._due)

    def expire(self, part: float = 1.0) -> None:
        """Let this part of what the tick has found expire, with what has already."""
        rest = int(self._found * (1.0 - min(1.0, part)))
        while len(self._due) > rest:
            waiting = self._due.pop()
            waiting.slot = self.NO_SLOT
            if waiting.deadline <= self._passed:
                waiting.expire()
            else:
                self.watch(waiting, waiting.deadline)

    def watch(self, waiting: Waiting, deadline: float) -> None:
        """Let something expire at a time of `now`'s scale, up to 3 s late; inf means never."""
        waiting.deadline = deadline
        if deadline == inf:
            return
        # A later deadline is found out about in the slot it has: see `expire`.
        slot = max(int(deadline) + 1, self._next_slot)
        if slot < waiting.slot:
            self.forget(waiting)
            self._slots.setdefault(slot, set()).add(waiting)
            waiting.slot = slot

    def forget(self, waiting: Waiting) -> None:
        """Hold no reference to something that is closed."""
        if waiting.slot < self._next_slot:
            self._due.discard(waiting)
        elif waiting.slot != self.NO_SLOT:
            self._slots.get(waiting.slot, set()).discard(waiting)
        waiting.slot = self.NO_SLOT
