"""What is known of an owner's todos beside what is kept of them, while nobody writes."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

MOST_OWNERS = 50
"""Each may know some 200 KiB."""


class _Known(NamedTuple, Generic[T]):
    stamp: str
    expires: float
    knowledge: T


class UnderStamp(Generic[T]):
    """The knowledge of the owners who were read last, each under the stamp of its scope.

    It was read after the stamp had been proved, and is used by who has proved the same one.

    Args:
        make: returns what knows nothing yet.
        seconds: how long it is used. Nothing that is promised depends on it; it bounds what changes
            behind the service's back cost.
        monotonic: the time in seconds.
    """

    def __init__(
        self, make: Callable[[], T], *, seconds: float, monotonic: Callable[[], float]
    ) -> None:
        self._make = make
        self._seconds = seconds
        self._monotonic = monotonic
        self._owners: OrderedDict[str, _Known[T]] = OrderedDict()

    def get(self, owner: str, stamp: str | None) -> T:
        """Return what is known under a stamp; without one nothing is, and nothing is kept."""
        if stamp is None:
            return self._make()
        now = self._monotonic()
        known = self._owners.get(owner)
        if known is None or known.stamp != stamp or known.expires < now:
            known = self._owners[owner] = _Known(stamp, now + self._seconds, self._make())
            if len(self._owners) > MOST_OWNERS:
                self._owners.popitem(last=False)
        self._owners.move_to_end(owner)
        return known.knowledge
