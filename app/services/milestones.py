"""Places in a list at a known distance from the top, so that MongoDB need not count from there."""

from bisect import bisect_right
from math import inf
from typing import NamedTuple

from app.domain.page import Position

APART = 20
"""Todos between two milestones, or so: counting on from the last costs less than the page."""


class Milestone(NamedTuple):
    """A place that has ``distance`` todos before it; the top of the list has no position."""

    distance: int
    position: Position | None


class Milestones:
    """The milestones of one list.

    Attributes:
        end: there is no todo at this distance from the top, or a larger one.
    """

    def __init__(self) -> None:
        self._known = [Milestone(0, None)]
        self.end: float = inf

    def before(self, start: int) -> Milestone:
        """Return the last milestone at or before a distance from the top."""
        return self._known[self._count(start) - 1]

    def add(self, distance: int, position: Position) -> None:
        """Note a place, unless there is a milestone shortly before it.

        Whatever was noted, the last milestone before it is less than two `APART` away: the next one
        is dropped only where that stays true of all between it and the one behind it.
        """
        at = self._count(distance)
        if distance - self._known[at - 1].distance < APART:
            return
        self._known.insert(at, Milestone(distance, position))
        if at + 2 < len(self._known) and self._known[at + 2].distance - distance < 2 * APART:
            del self._known[at + 1]

    def _count(self, distance: int) -> int:
        return bisect_right(self._known, distance, key=lambda known: known.distance)
