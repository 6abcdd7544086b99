"""Reads on the short cut: the real `Shortcut` and its `Later`, without a server."""

from types import SimpleNamespace
from typing import Any

from simulated_loop import SimulatedLoop

from app.cache.reads import Reads
from app.errors import StorageUnavailable
from app.httpserver import Answer, Later, ReadyRequest
from app.services.freshness import Source
from handlers.application import TodoApplication
from handlers.shortcut import Shortcut

_VALUES = (None,) * len(TodoApplication.ready_fields)


class Text(bytes):
    """A body, as far as `Shortcut` looks at it."""

    is_missing = False

    def answer(self, _: int) -> Answer:
        """Return the answer to a GET."""
        return Answer(b"", self)


class Visits:
    """The short cut of one process."""

    def __init__(self, reads: Reads[bytes], metrics: Any, loop: SimulatedLoop) -> None:
        self._shortcut = Shortcut(reads, metrics, retry_after_seconds=1)  # type: ignore[arg-type]
        self._loop = loop
        self._heads: dict[str, Later] = {}

    async def read(self, source: Source[Any]) -> bytes:
        """Return a source's body, as somebody gets it who asks for a target that is known.

        Raises:
            StorageUnavailable: the answer says so.
        """
        # What `app.httpserver.ready` does for heads that it has read before.
        later = self._heads.get(source.key)
        if later is None or not later.is_open:
            later = self._heads[source.key] = self._ask(source)
        connection: Any = _Connection(self._loop)
        later.join(connection)
        answer: Answer = await connection.answered
        if not isinstance(answer.body, Text):
            raise StorageUnavailable(answer.head.decode().partition("\r\n")[0])
        return answer.body

    def _ask(self, source: Source[Any]) -> Later:
        self._shortcut.remember(source.key, "route", source)
        later = self._shortcut(ReadyRequest("GET", source.key, _VALUES))
        assert later is not None
        return later


class _Head:
    """Says no to whatever it is asked, so that no answer is sent the quick way."""

    def __getattr__(self, name: str) -> bool:
        return False


class _Connection:
    """One that waits for an answer, as far as `Later` looks at it."""

    server = SimpleNamespace(
        clock=SimpleNamespace(date=b"", now=0.0),
        options=SimpleNamespace(idle_seconds=0.0),
        statistics=SimpleNamespace(laters=set()),
        is_draining=False,
    )
    waiting_head = _Head()
    waiting_own = None
    waiting_context = SimpleNamespace(protocol="http", remote_ip="")

    def __init__(self, loop: SimulatedLoop) -> None:
        self.answered = loop.create_future()

    def take_answer(self, answer: Answer) -> None:
        """Take it, unless the client has gone; a second one would be a fault."""
        if not self.answered.cancelled():
            self.answered.set_result(answer)

    def take_no_answer(self) -> None:
        """See a fault: nothing that is simulated makes the short cut give up."""
        raise AssertionError
