"""Who asks whether what is kept is current: all of a moment at once."""

import asyncio
from collections.abc import Callable

from app.services.freshness import Asker

Asked = dict[str, list[Asker]]
"""Scopes, and who wants to know their stamps."""


class Proofs:
    """Puts the questions of many at once, and the next ones when those have been answered.

    Args:
        put: puts questions, which are for so many requests; calls `answered` when it has heard.
    """

    def __init__(self, put: Callable[[Asked, int], None]) -> None:
        self._put = put
        self._asked: Asked = {}
        self._is_due = False  # Questions are out, or will be in the loop's next turn.

    def add(self, scope: str, asker: Asker) -> None:
        """Ask with the next questions."""
        self._asked.setdefault(scope, []).append(asker)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._put_all)

    def answered(self) -> None:
        """Go on with what has been asked meanwhile, and what comes in this turn and the next."""
        self._is_due = bool(self._asked)
        if self._is_due:
            # PERF: twice as many share a question as without that turn (docs/decisions/0006).
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._put_all)

    def _put_all(self) -> None:
        asked, self._asked = self._asked, {}
        try:
            self._put(asked, sum(asker.close() for askers in asked.values() for asker in askers))
        except Exception:  # A fault, which nobody shall wait behind for ever.
            self.answered()
            for askers in asked.values():
                tell(askers, None)
            raise


def tell(askers: list[Asker], stamp: str | None) -> None:
    """Give everybody the answer."""
    for asker in askers:
        asker.hear(stamp)
