"""Whether this process can serve."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Literal

from msgspec import Struct

from app.errors import TodoError

log = logging.getLogger(__name__)

Status = Literal["pass", "warn", "fail"]


class Backend(Struct, frozen=True):
    """A server that this process needs, or would like to have."""

    name: str
    ping: Callable[[], Awaitable[object]]
    """Returns when the server does what requests need; raises anything otherwise. What a
    `TodoError` says is shown to strangers: it names no hosts and no users. Its notes are logged."""
    required: bool


class BackendHealth(Struct, frozen=True):
    """What a backend's check found, and how long it took."""

    name: str
    status: Status
    seconds: float
    reason: str = ""
    """Why it is not well."""


class Health(Struct, frozen=True):
    """What all checks found; only ``fail`` means that requests should go elsewhere."""

    status: Status
    backends: tuple[BackendHealth, ...]


class HealthService:
    """Asks every backend, each within a deadline.

    Args:
        backends: the servers to ask.
        deadline_seconds: how long one of them may take to answer.
    """

    def __init__(self, backends: Sequence[Backend], *, deadline_seconds: float) -> None:
        self._backends = backends
        self._deadline_seconds = deadline_seconds
        self._checking: asyncio.Task[list[BackendHealth]] | None = None
        self._last: dict[str, Status] = {}
        self.draining = False
        """True from the order to stop: load balancers shall send no more requests."""

    async def check(self) -> Health:
        """Ask all backends at once; never raises. Who asks meanwhile shares the answer."""
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check_all())
        results = tuple(await asyncio.shield(self._checking))
        if self.draining or any(result.status == "fail" for result in results):
            return Health("fail", results)
        if any(result.status == "warn" for result in results):
            return Health("warn", results)
        return Health("pass", results)

    async def _check_all(self) -> list[BackendHealth]:
        return await asyncio.gather(*map(self._check, self._backends))

    async def _check(self, backend: Backend) -> BackendHealth:
        started = perf_counter()
        status: Status = "fail" if backend.required else "warn"
        try:
            await asyncio.wait_for(backend.ping(), self._deadline_seconds)
        except TodoError as error:
            told = str(error)
            reason = "; ".join([told, *getattr(error, "__notes__", ())])
        except TimeoutError:
            reason = told = f"no answer within {self._deadline_seconds:g} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, the backend is not well.
            reason, told = str(error) or type(error).__name__, "the log says why"
        else:
            status, reason, told = "pass", "", ""
        self._note(backend.name, status, reason)
        return BackendHealth(backend.name, status, perf_counter() - started, told)

    def _note(self, name: str, status: Status, reason: str) -> None:
        """Log a change."""
        if status == self._last.get(name, "pass"):
            return
        self._last[name] = status
        if status == "pass":
            log.info("%s is well again", name)
        else:
            log.warning("%s is not well: %s", name, reason)
