"""Places in lists at a known distance from the top, so that MongoDB need not count from there."""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from app.domain.page import Position

APART = 100
"""Todos between two milestones of a list: counting on from the last costs less than the page."""

MOST_LISTS = 100
"""With 10,000 todos that may be skipped they take some 2 MiB."""


class Milestone(NamedTuple):
    """A place that has ``distance`` todos before it; the top of the list has no position."""

    distance: int
    position: Position | None


class Milestones:
    """The milestones of one list, while nobody writes in it."""

    def __init__(self) -> None:
        self._known = [Milestone(0, None)]

    def before(self, start: int) -> Milestone:
        """Return the last milestone at or before a distance from the top."""
        return self._known[self._count(start) - 1]

    def add(self, distance: int, position: Position) -> None:
        """Note what was seen, unless there is a milestone shortly before it."""
        if distance - self.before(distance).distance >= APART:
            self._known.insert(self._count(distance), Milestone(distance, position))

    def _count(self, distance: int) -> int:
        return bisect_right(self._known, distance, key=lambda known: known.distance)


class _Measured(NamedTuple):
    stamp: str
    expires: float
    milestones: Milestones


class MeasuredLists:
    """The milestones of the lists that were read last, by owner and stamp.

    Args:
        seconds: how long they are used. Nothing that is promised depends on it; it bounds what
            changes behind the service's back cost.
        monotonic: the time in seconds.
    """

    def __init__(self, *, seconds: float, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._lists: OrderedDict[str, _Measured] = OrderedDict()

    def under(self, owner: str, stamp: str | None) -> Milestones:
        """Return what is known of an owner's list under a stamp that the scope has just had."""
        if stamp is None:
            return Milestones()
        now = self._monotonic()
        known = self._lists.get(owner)
        if known is None or known.stamp != stamp or known.expires < now:
            known = self._lists[owner] = _Measured(stamp, now + self._seconds, Milestones())
            if len(self._lists) > MOST_LISTS:
                self._lists.popitem(last=False)
        self._lists.move_to_end(owner)
        return known.milestones
