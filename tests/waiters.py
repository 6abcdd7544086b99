"""What waits for a deadline of a `Clock`, and counts its ends."""

from collections.abc import Callable
from math import inf

from app.httpserver.clock import Clock


class Waiter:
    """Something with a deadline that counts its ends."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.deadline = inf
        self.slot = Clock.NO_SLOT
        self.expired = 0
        self._then = then

    def expire(self) -> None:
        self.expired += 1
        self._then()


def watch(clock: Clock, number: int, *, in_seconds: float = 0.0) -> list[Waiter]:
    """Let so many wait for the same time."""
    waiters = [Waiter() for _ in range(number)]
    for one in waiters:
        clock.watch(one, clock.now + in_seconds)
    return waiters
