"""Ids that certainly name no todo of an owner, though nobody has asked MongoDB for each."""

from bisect import bisect_left
from typing import NamedTuple

MOST_GAPS = 1000
"""Whoever tries ids at random finds few, for most fall into the same; some 200 bytes each."""

_LOWEST, _HIGHEST = "", "g"
"""Below and above every id, which is 24 hexadecimal digits."""


class Neighbours(NamedTuple):
    """The ids of an owner's todos next to one that names none; None where there is none."""

    below: str | None
    above: str | None


class Gaps:
    """The gaps between ids in which there is no other, as far as they are known."""

    def __init__(self) -> None:
        # A gap is its two neighbours, and gaps do not overlap.
        self._below: list[str] = []
        self._above: list[str] = []

    def add(self, neighbours: Neighbours) -> None:
        """Note that there is no id between these two."""
        below, above = neighbours.below or _LOWEST, neighbours.above or _HIGHEST
        at = bisect_left(self._below, below)
        is_known = at < len(self._below) and self._below[at] == below
        if not is_known and len(self._below) < MOST_GAPS:
            self._below.insert(at, below)
            self._above.insert(at, above)

    def has(self, todo_id: str) -> bool:
        """Tell whether an id lies in a gap."""
        at = bisect_left(self._below, todo_id) - 1
        return at >= 0 and todo_id < self._above[at]
