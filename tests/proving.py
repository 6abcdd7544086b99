"""Who asks in tests whether what is kept is current."""

from asyncio import Event, Future
from collections.abc import Callable

from app.services.freshness import OneAsker, Reader, Stamps


def prove(stamps: Stamps | Reader[str], scope: str) -> Future[str | None]:
    """Ask for a scope's stamp; it can be awaited, or cancelled."""
    asker = OneAsker()
    stamps.prove(scope, asker)
    return asker.stamp


async def put(stamps: Stamps | Reader[str], scope: str) -> None:
    """Ask for a scope's stamp too; return when this and all that was asked before is put."""
    closed = Event()
    stamps.prove(scope, Requests(closing=closed.set))
    await closed.wait()


class Requests:
    """Asks for some requests; `Asker`.

    Attributes:
        heard: what it was told, each time; nothing can be told to who has not been closed.
    """

    def __init__(self, count: int = 1, *, closing: Callable[[], object] = lambda: None) -> None:
        self._count = count
        self._closing = closing
        self.is_closed = False
        self.heard: list[str | None] = []

    def close(self) -> int:
        assert not self.is_closed
        self.is_closed = True
        self._closing()
        return self._count

    def hear(self, stamp: str | None) -> None:
        assert self.is_closed
        self.heard.append(stamp)
