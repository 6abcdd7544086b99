"""Stamps of the only process."""

from collections import defaultdict
from collections.abc import Callable, Collection
from itertools import count

from app.cache import scope as protocol
from app.cache.proofs import Asked, Proofs, tell
from app.cache.scope import Scope
from app.services.freshness import Asker, Write


class LocalStamps:
    """Keeps `scope.Scope` in memory; `Stamps`.

    Args:
        mark_seconds: longest time that a write may take between its mark and its end.
        monotonic: the time in seconds.
    """

    def __init__(self, *, mark_seconds: float, monotonic: Callable[[], float]) -> None:
        self._mark_seconds = mark_seconds
        self._monotonic = monotonic
        self._scopes: defaultdict[str, Scope] = defaultdict(Scope)
        self._names = map("{:x}".format, count())
        self._proofs = Proofs(self._answer)

    def prove(self, scope: str, asker: Asker) -> None:
        """Tell the stamp that the scope has, in the loop's next turn."""
        self._proofs.add(scope, asker)

    def _answer(self, asked: Asked, _requests: int) -> None:
        self._proofs.answered()
        for scope, askers in asked.items():
            stamp = protocol.open_for_reading(
                self._scopes[scope],
                now=self._monotonic(),
                is_settled=True,  # Nobody wrote before this process began.
                stamp=next(self._names),
            )
            tell(askers, stamp)

    async def mark(self, scopes: Collection[str]) -> Write:
        """Announce a write; see `Stamps`."""
        write = Write(next(self._names))
        for scope in scopes:
            deadline = self._monotonic() + self._mark_seconds
            protocol.mark(self._scopes[scope], write.name, deadline=deadline)
        return write

    async def done(self, scopes: Collection[str], write: Write) -> None:
        """Say that a write has ended; see `Stamps`."""
        for scope in scopes:
            protocol.done(
                self._scopes[scope],
                write.name,
                now=self._monotonic(),
                is_settled=True,
                stamp=next(self._names),
            )
