"""What operators ask: is it alive, is it ready, how does it do, which version is it."""

import platform
from datetime import UTC, datetime
from typing import Literal

import msgspec
import tornado
from msgspec import UNSET, Struct, UnsetType

from app import __version__
from app.services.health import Health
from handlers.base import BaseHandler, Route
from handlers.operation import TEXT, Answer, Operation, operation
from handlers.representation import represent

HEALTH = "application/health+json"


class Check(Struct, frozen=True):
    """One measurement of the health check draft."""

    status: Literal["pass", "warn", "fail"]
    observedValue: float  # noqa: N815 - the draft's name.
    observedUnit: str  # noqa: N815 - the draft's name.
    time: datetime
    output: str | UnsetType = UNSET
    """Why it is not ``pass``."""


class HealthDocument(Struct, frozen=True):
    """The body of both health answers (draft-inadarei-api-health-check-06)."""

    status: Literal["pass", "warn", "fail"]
    version: str
    checks: dict[str, tuple[Check, ...]]


class Version(Struct, frozen=True):
    """What is running."""

    name: str
    version: str
    python: str
    tornado: str


class LiveHandler(BaseHandler):
    """Whether the process turns, at ``/livez``: no I/O, so a dead backend never restarts it."""

    is_guarded = False

    @operation(
        Operation(
            summary="Tell that the process is alive.",
            answers={200: Answer("It is alive.", HealthDocument, HEALTH)},
        )
    )
    def get(self) -> None:
        """Answer that the event loop turns."""
        self.set_header("Content-Type", HEALTH)
        self.write(msgspec.json.encode(HealthDocument("pass", __version__, {})))


class ReadyHandler(BaseHandler):
    """Whether requests should be sent here, at ``/readyz``."""

    is_guarded = False

    @operation(
        Operation(
            summary="Tell whether requests should be sent here.",
            answers={
                200: Answer(
                    "Yes; `warn` if Redis is away or refuses: reads are answered, writes are 503.",
                    HealthDocument,
                    HEALTH,
                ),
                503: Answer(
                    "No: MongoDB is away or refuses, or the process drains.", HealthDocument, HEALTH
                ),
            },
        )
    )
    async def get(self) -> None:
        """Ask every backend and answer with what they say."""
        health = await self.dependencies.health.check()
        if health.status == "fail":
            self.set_status(503)
            self.set_header("Retry-After", str(self.dependencies.retry_after_seconds))
        self.set_header("Content-Type", HEALTH)
        self.write(msgspec.json.encode(_document(health)))


class MetricsHandler(BaseHandler):
    """The metrics, at ``/metrics``."""

    is_guarded = False

    @operation(
        Operation(
            summary="Report the metrics of this process for Prometheus.",
            answers={200: Answer("Prometheus' text format.", str, TEXT)},
        )
    )
    def get(self) -> None:
        """Answer with all metrics."""
        self.set_header("Content-Type", self.dependencies.metrics.content_type)
        self.write(self.dependencies.metrics.render())


class VersionHandler(BaseHandler):
    """What is running, at ``/version``."""

    @operation(
        Operation(
            summary="Tell what is running.",
            answers={200: Answer("Names and versions.", Version, headers=("ETag",))},
            conditional=True,
        )
    )
    def get(self) -> None:
        """Answer with the versions."""
        version = Version("tornado-todo", __version__, platform.python_version(), tornado.version)
        self.reply_with(represent(version))


def _document(health: Health) -> HealthDocument:
    now = datetime.now(UTC)
    checks: dict[str, tuple[Check, ...]] = {
        f"{backend.name}:responseTime": (
            Check(
                backend.status,
                round(backend.seconds * 1000, 3),
                "ms",
                now,
                backend.reason or UNSET,
            ),
        )
        for backend in health.backends
    }
    return HealthDocument(health.status, __version__, checks)


ROUTES = (
    Route("/livez", LiveHandler),
    Route("/readyz", ReadyHandler),
    Route("/metrics", MetricsHandler),
    Route("/version", VersionHandler),
)
