"""The state of one scope and the three things that can happen to it. No I/O.

A scope is what is coherent as a whole: the todos of one owner, and every list and count of them.
While nobody writes in it, it has a **stamp**; what was read from the database under that stamp may
be kept, and given to whoever has just seen that the stamp is still the scope's. While somebody
writes, it has **marks** in place of a stamp, and nothing is kept or given. A stamp never comes
back, so what was kept under an old one is dead, wherever it lies.

`redis_scripts` has the same in Lua, and a test holds the two against each other.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Scope:
    """A scope as everybody sees it who reads or writes in it."""

    stamp: str | None = None
    """Proves that what was read under it is current; None while nothing may be kept."""

    marks: dict[str, float] = field(default_factory=dict)
    """Writes that may be under way, each with the time at which it has ended in any case."""


def bound_marks(scope: Scope, *, latest: float) -> None:
    """Let no mark last longer than until then, where the clock may have gone back.

    Args:
        scope: the scope.
        latest: the deadline of the longest mark there may be, if it were made now.
    """
    for write, deadline in scope.marks.items():
        scope.marks[write] = min(deadline, latest)


def mark(scope: Scope, write: str, *, deadline: float) -> None:
    """Announce a write, before the database hears of it."""
    scope.stamp = None
    scope.marks[write] = deadline


def done(scope: Scope, write: str, *, now: float, is_settled: bool, stamp: str) -> None:
    """End a write, before it is acknowledged.

    The stamp goes even if it was given after the mark: then the mark was lost, or had passed its
    deadline, and something older than the write may have been kept.
    """
    scope.stamp = None
    scope.marks.pop(write, None)
    open_for_reading(scope, now=now, is_settled=is_settled, stamp=stamp)


def open_for_reading(scope: Scope, *, now: float, is_settled: bool, stamp: str) -> str | None:
    """Return the scope's stamp, giving it this new one if it has none and nobody writes.

    Args:
        scope: the scope.
        now: seconds, of the clock that the deadlines were taken from.
        is_settled: this state has existed for as long as a write may take. A younger one, in a
            Redis that was restarted or flushed, may have lost marks.
        stamp: a text that no scope ever had as its stamp.
    """
    if scope.stamp is None:
        scope.marks = {write: end for write, end in scope.marks.items() if end > now}
        if not scope.marks and is_settled:
            scope.stamp = stamp
    return scope.stamp
