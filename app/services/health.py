"""Whether this process can serve."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Literal

from msgspec import Struct

Status = Literal["pass", "warn", "fail"]


class Backend(Struct, frozen=True):
    """A server that this process needs, or would like to have."""

    name: str
    ping: Callable[[], Awaitable[object]]
    """Returns when the server is well; raises anything otherwise."""
    required: bool


class BackendHealth(Struct, frozen=True):
    """What a backend's check found, and how long it took."""

    name: str
    status: Status
    seconds: float


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
        self.draining = False
        """True from the order to stop: load balancers shall send no more requests."""

    async def check(self) -> Health:
        """Ask all backends at once; never raises."""
        results = tuple(await asyncio.gather(*map(self._check, self._backends)))
        if self.draining or any(result.status == "fail" for result in results):
            return Health("fail", results)
        if any(result.status == "warn" for result in results):
            return Health("warn", results)
        return Health("pass", results)

    async def _check(self, backend: Backend) -> BackendHealth:
        started = perf_counter()
        status: Status = "pass"
        try:
            await asyncio.wait_for(backend.ping(), self._deadline_seconds)
        except Exception:  # noqa: BLE001 - whatever it is, the backend is not well.
            status = "fail" if backend.required else "warn"
        return BackendHealth(backend.name, status, perf_counter() - started)
