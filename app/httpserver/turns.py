"""A few requests at a time for the application; the others wait for the loop's next turn."""

import asyncio
from collections import deque
from collections.abc import Callable

# PERF: a RequestHandler goes on in a task, in the next turn of the loop. Begun all at once, those
# of a thousand clients were too many for the processor's caches and the collector's youngest
# generation, and whoever came early again and again was served first (docs/decisions/0005).
_PER_TURN = 32


class Turns:
    """Begins requests in the order in which their heads came."""

    __slots__ = ("_is_due", "_left", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], bool]] = deque()
        self._left = 0  # May begin in this turn.
        self._is_due = False  # `_next` will be called in the next one.

    def take(self, begin: Callable[[], bool]) -> None:
        """Call ``begin`` now, or when those that came before have had their turn.

        It returns whether it has begun anything; what has not takes nobody's turn.
        """
        if not self._is_due:
            self._call_next()
        if self._left and not self._waiting:
            self._left -= begin()
        else:
            self._waiting.append(begin)

    def _call_next(self) -> None:
        self._left = _PER_TURN
        self._is_due = True
        self._loop.call_soon(self._next)

    def _next(self) -> None:
        self._is_due = False
        if self._waiting:
            self._call_next()
        while self._waiting and self._left:
            self._left -= self._waiting.popleft()()
