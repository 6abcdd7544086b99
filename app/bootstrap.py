"""Puts the parts together: the only module but the server (`app.serving`) that imports handlers."""

from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic, time

import msgspec

from app.cache.answers import Answers
from app.cache.bodies import Bodies, Codec
from app.cache.local_stamps import LocalStamps
from app.cache.reads import Reads
from app.cache.redis_stamps import RedisStamps
from app.domain.statistics import Statistics
from app.domain.todo import Todo
from app.metrics import Metrics
from app.resources import Resources
from app.services.freshness import OperationTime, Stamps
from app.services.gaps import Gaps
from app.services.health import Backend, HealthService
from app.services.milestones import Milestones
from app.services.ports import Clock
from app.services.todos import TodoService
from app.services.under_stamp import UnderStamp
from app.services.writing import Creates
from app.settings import Settings, is_loopback
from app.storage.late_reads import LateReads
from app.storage.operations import Operations
from app.storage.todos import MongoTodoRepository
from handlers import CREATIONS, ROUTES
from handlers.application import TodoApplication
from handlers.base import Dependencies
from handlers.create_shortcut import CreateShortcut
from handlers.doors import Doors, names_of
from handlers.openapi import build_document
from handlers.representation import Representation, decode_representation, encode_representation
from handlers.shortcut import Shortcut
from handlers.wire import statistics_view, view


def make_repository(
    settings: Settings,
    resources: Resources,
    metrics: Metrics,
    operation_time: OperationTime | None = None,
) -> MongoTodoRepository:
    """Return the repository of todos behind the gate that the settings describe."""
    return MongoTodoRepository(
        resources.todos, _make_operations(settings, metrics), operation_time or OperationTime()
    )


_LAST_WORD_SECONDS = 1.0
"""For the driver, which gives up in time, to say why: the gate would know no reason."""


def make_late_reads(settings: Settings, resources: Resources, metrics: Metrics) -> LateReads:
    """Return the reads that need not be fresh, from the members that the settings name."""
    return LateReads(
        resources.todos,
        _make_operations(settings, metrics, last_word_seconds=_LAST_WORD_SECONDS),
        preference=settings.mongo_late_reads,
        patience_seconds=settings.mongo_connect_seconds,
        deadline_seconds=settings.mongo_operation_seconds,
    )


def _make_operations(
    settings: Settings, metrics: Metrics, *, last_word_seconds: float = 0.0
) -> Operations:
    return Operations(
        concurrent=settings.mongo_pool_size,
        waiting_limit=settings.mongo_waiting_limit,
        deadline_seconds=settings.mongo_operation_seconds + last_word_seconds,
        metrics=metrics,
    )


def encode_todos(todos: Iterable[Todo]) -> bytes:
    """Return a line of JSON for each todo, as the API shows it."""
    return msgspec.json.Encoder().encode_lines(map(view, todos))


def encode_statistics(statistics: Statistics) -> bytes:
    """Return statistics as a JSON object over several lines."""
    return msgspec.json.format(msgspec.json.encode(statistics_view(statistics)))


_SLACK_SECONDS = 2.0
"""Between the mark of a write and its begin (`RedisStamps` takes 1 s of it, `Creates` 0.5 s), and
for clocks that do not run equally fast."""

_HANDS = 3
"""Through which an answer may go, each of which keeps it for its part of the time: from a place in
the list that is known (`Milestones`) to Redis, and from there to a process."""


@dataclass(frozen=True, slots=True)
class Cache:
    """The two sides of the cache."""

    stamps: Stamps
    reads: Reads[Representation]
    milestones: UnderStamp[Milestones]
    gaps: UnderStamp[Gaps]


def make_cache(
    settings: Settings, resources: Resources, metrics: Metrics, operation_time: OperationTime
) -> Cache:
    """Return the cache: in Redis and in the process, or in the process alone."""
    seconds = settings.cache_seconds / _HANDS
    milestones = UnderStamp(Milestones, seconds=seconds, monotonic=monotonic)
    gaps = UnderStamp(Gaps, seconds=seconds, monotonic=monotonic)
    answers = Answers[Representation](
        budget_bytes=settings.cache_bytes,
        seconds=seconds,
        weigh=Representation.weigh,
        monotonic=monotonic,
    )
    metrics.watch_cache(lambda: answers.held_bytes)
    mark_seconds = settings.mongo_operation_seconds + _SLACK_SECONDS
    if resources.redis is None:
        local = LocalStamps(mark_seconds=mark_seconds, monotonic=monotonic)
        return Cache(local, Reads(local, answers, None, metrics), milestones, gaps)
    stamps = RedisStamps(
        resources.redis,
        namespace=resources.todos.database.name,
        operation_time=operation_time,
        mark_seconds=mark_seconds,
        patience_seconds=settings.redis_write_seconds,
        metrics=metrics,
    )
    bodies = Bodies[Representation](
        resources.redis,
        stamps=stamps,
        operation_time=operation_time,
        codec=Codec(encode_representation, decode_representation),
        largest_bytes=settings.cache_body_bytes,
        seconds=seconds,
        metrics=metrics,
    )
    return Cache(stamps, Reads(stamps, answers, bodies, metrics), milestones, gaps)


def make_health(settings: Settings, repository: MongoTodoRepository, cache: Cache) -> HealthService:
    """Return the health service that asks the servers behind the repository and the cache.

    Args:
        settings: the deadline of a check.
        repository: what must answer for this process to be ready.
        cache: its Redis may be missing and may be away.
    """
    backends = [Backend("mongodb", repository.ping, required=True)]
    if isinstance(cache.stamps, RedisStamps):
        # Without Redis reads are answered from MongoDB, by this process as by all others, and only
        # writes are refused: nobody is helped if none of them gets requests (docs/operations.md).
        backends.append(Backend("redis", cache.stamps.ping, required=False))
    return HealthService(backends, deadline_seconds=settings.ready_timeout_seconds)


def make_doors(settings: Settings) -> Doors:
    """Return who is let in without an account."""
    closed_because = ""
    if settings.anonymous == "auto":
        if not is_loopback(settings.host):
            closed_because = "it listens where others can reach it"
        elif settings.trusted_networks:
            closed_because = "it is behind a proxy (trusted_proxies), which others may reach"
    names = settings.host_names
    return Doors(
        closed_because=closed_because,
        is_local=settings.anonymous == "auto",
        hosts=None if names is None else names_of(names),
    )


def make_application(
    settings: Settings,
    *,
    repository: MongoTodoRepository,
    cache: Cache,
    health: HealthService,
    metrics: Metrics,
    clock: Clock = time,
) -> TodoApplication:
    """Return the application, ready to be served."""
    creates = Creates(
        repository, cache.stamps, waiting_limit=settings.creates_waiting_limit, metrics=metrics
    )
    todos = TodoService(
        repository, clock, cache.stamps, creates, milestones=cache.milestones, gaps=cache.gaps
    )
    dependencies = Dependencies(
        todos=todos,
        reader=cache.reads,
        shortcut=Shortcut(cache.reads, metrics, retry_after_seconds=settings.retry_after_seconds),
        health=health,
        doors=make_doors(settings),
        metrics=metrics,
        cache_status=settings.cache_status,
        openapi=build_document(ROUTES),
        max_start=settings.max_start,
        retry_after_seconds=settings.retry_after_seconds,
    )
    create = CreateShortcut(
        CREATIONS, todos, metrics, retry_after_seconds=settings.retry_after_seconds
    )
    return TodoApplication(ROUTES, create, dependencies)
