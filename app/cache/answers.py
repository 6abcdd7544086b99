"""What this process keeps, up to a number of bytes; the least recently used goes first."""

from collections import OrderedDict
from collections.abc import Callable
from random import uniform
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

ENTRY_BYTES = 400
"""What an entry costs beside its body: keys, objects, dictionaries."""

_LARGEST_PART = 8
"""A body above this part of the budget is not kept: it would push out too much else."""

_FAIR_PART = 2
"""A scope with more than this part of the budget makes room by giving up its own."""


class Answers(Generic[T]):
    """Bodies by scope, stamp and key.

    A scope has one stamp at a time here, the last that was proved; with another one all that is
    kept for the scope goes.

    Args:
        budget_bytes: what all of it may weigh.
        seconds: longest time that anything is kept, and up to a fifth less, so that not all that
            was read at once goes at once. Nothing that is promised depends on it; it bounds what
            changes behind the service's back cost.
        weigh: returns the bytes of a body.
        monotonic: the time in seconds.
    """

    def __init__(
        self,
        *,
        budget_bytes: int,
        seconds: float,
        weigh: Callable[[T], int],
        monotonic: Callable[[], float],
    ) -> None:
        self._budget_bytes = budget_bytes
        self._seconds = seconds
        self._weigh = weigh
        self._monotonic = monotonic
        self._scopes: OrderedDict[str, _Kept[T]] = OrderedDict()
        self.held_bytes = 0

    def get(self, scope: str, stamp: str, key: str) -> T | None:
        """Return what is kept under a stamp that has just been proved."""
        kept = self._scopes.get(scope)
        if kept is None:
            return None
        if kept.stamp != stamp:
            self.held_bytes -= self._scopes.pop(scope).size
            return None
        entry = kept.entries.get(key)
        if entry is None:
            return None
        if entry.expires < self._monotonic():
            self._forget(kept, key)
            return None
        kept.entries.move_to_end(key)
        self._scopes.move_to_end(scope)
        return entry.body

    def put(self, scope: str, stamp: str, key: str, body: T) -> None:
        """Keep what was read under a stamp, unless it is too large or the stamp is not the last."""
        size = self._weigh(body) + len(key) + ENTRY_BYTES
        if size > self._budget_bytes // _LARGEST_PART:
            return
        kept = self._scopes.get(scope)
        if kept is None:
            kept = self._scopes[scope] = _Kept(scope, stamp)
        elif kept.stamp != stamp:
            return
        self._scopes.move_to_end(scope)
        self._take_out(kept, key)
        seconds = self._seconds * uniform(0.8, 1.0)  # noqa: S311 - no secret.
        kept.entries[key] = _Entry(body, size, self._monotonic() + seconds)
        kept.size += size
        self.held_bytes += size
        while self.held_bytes > self._budget_bytes:
            self._make_room(kept)

    def _make_room(self, kept: "_Kept[T]") -> None:
        if kept.size <= self._budget_bytes // _FAIR_PART:
            kept = next(iter(self._scopes.values()))
        self._forget(kept, next(iter(kept.entries)))

    def _forget(self, kept: "_Kept[T]", key: str) -> None:
        self._take_out(kept, key)
        if not kept.entries:
            del self._scopes[kept.scope]

    def _take_out(self, kept: "_Kept[T]", key: str) -> None:
        if key in kept.entries:
            size = kept.entries.pop(key).size
            kept.size -= size
            self.held_bytes -= size


class _Entry(NamedTuple, Generic[T]):
    body: T
    size: int
    expires: float


class _Kept(Generic[T]):
    """What is kept for one scope."""

    __slots__ = ("entries", "scope", "size", "stamp")

    def __init__(self, scope: str, stamp: str) -> None:
        self.scope = scope
        self.stamp = stamp
        self.entries: OrderedDict[str, _Entry[T]] = OrderedDict()
        self.size = 0
