"""Time for many connections at the price of one timer.

A timer per request would cost about as much as a ready answer (docs/decisions/0005). Instead
everything that waits has a deadline, and once per second those are looked at whose second has come.
A deadline that moves into the future, as an idle connection's does with every request, costs the
setting of an attribute.
"""

import asyncio
import sys
from collections.abc import Callable
from math import inf
from time import time
from typing import Protocol

from app.httpserver.encoding import encode_date

_TICK_SECONDS = 1.0


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
        self._timer: asyncio.TimerHandle | None = None
        self.now = self._ticked = monotonic()
        self.date = encode_date(wall())
        self._next_slot = int(self.now)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to tick, until `stop`."""
        if self._timer is None:
            self._turn(loop)

    def stop(self) -> None:
        """Tick no longer; deadlines stay as they are."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        # With the wall clock's seconds, so that Date is never a second late.
        self._timer = loop.call_later(
            _TICK_SECONDS - self._wall() % _TICK_SECONDS, self._turn, loop
        )
        self.tick()

    def refresh(self) -> float:
        """Read the time anew and return it, where a second more or less would be unfair."""
        self.now = self._monotonic()
        return self.now

    def tick(self) -> None:
        """Read the time anew and let everything expire whose deadline has passed.

        What passed while the loop stood still gets another second: what it waits for may have come.
        """
        stalled = max(0.0, self._monotonic() - self._ticked - 2 * _TICK_SECONDS)
        self._ticked = self.refresh()
        self.date = encode_date(self._wall())
        for slot in range(self._next_slot, int(self.now) + 1):
            self._next_slot = slot + 1
            for waiting in self._slots.pop(slot, ()):
                if waiting.slot != slot:
                    continue  # Forgotten by what another one's end has set off.
                waiting.slot = self.NO_SLOT
                if waiting.deadline <= self.now - stalled:
                    waiting.expire()
                else:
                    self.watch(waiting, waiting.deadline)

    def watch(self, waiting: Waiting, deadline: float) -> None:
        """Let something expire at a time of `now`'s scale, up to a second late; inf means never."""
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
