"""A few requests at a time for the application; the others wait for the loop's next turn."""

import asyncio
from collections import deque
from collections.abc import Callable

# PERF: a RequestHandler goes on in a task, in the next turn of the loop. Begun all at once, those
# of a thousand clients were too many for the processor's caches and the collector's youngest
# generation, and whoever came early again and again was served first (docs/decisions/0005).
_BEGUN_PER_TURN = 16


class Turns:
    """Begins requests in the order in which their heads came."""

    __slots__ = ("_begun", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], None]] = deque()
        self._begun = 0  # In this turn; `_next` is due if there are any.

    def take(self, begin: Callable[[], None]) -> None:
        """Call ``begin`` now, or when those that came before have had their turn."""
        if self._begun >= _BEGUN_PER_TURN or self._waiting:
            self._waiting.append(begin)
            return
        if not self._begun:
            self._loop.call_soon(self._next)
        self._begun += 1
        begin()

    def _next(self) -> None:
        self._begun = min(len(self._waiting), _BEGUN_PER_TURN)
        if self._begun:
            self._loop.call_soon(self._next)
        for _ in range(self._begun):
            self._waiting.popleft()()
