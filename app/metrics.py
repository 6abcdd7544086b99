"""Counters and histograms, named in one place.

Names and labels follow OpenTelemetry's semantic conventions for HTTP servers and database
clients, written the Prometheus way.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from app.tallies import TallyCounter, TallyHistogram

# The buckets that the conventions advise for both, in seconds.
_REQUEST_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75),
    *(1, 2.5, 5, 7.5, 10),
)
_OPERATION_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
_BATCH_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""The methods that get a label of their own; all others share ``_OTHER``."""


class Metrics:
    """The metrics of one process, in a registry of their own."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"
    """The media type of `render`'s answer."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._requests = TallyHistogram(
            "http_server_request_duration_seconds",
            "Time from the head of a request to the end of its answer.",
            ("http_request_method", "http_route", "http_response_status_code", "url_scheme"),
            buckets=_REQUEST_BUCKETS,
        )
        self._registry.register(self._requests)
        self._refused = Counter(
            "http_server_refused_requests_total",
            "Requests that were malformed, too large or too slow, by the status of the answer.",
            ("http_response_status_code",),
            registry=self._registry,
        )
        self._active = Gauge(
            "http_server_active_requests",
            "Requests that are being read or answered.",
            registry=self._registry,
        )
        self._connections = Gauge(
            "http_server_open_connections",
            "Connections of clients that are open.",
            registry=self._registry,
        )
        self._operations = Histogram(
            "db_client_operation_duration_seconds",
            "Time of a database operation, waiting for a connection included.",
            ("db_system_name", "db_operation_name", "outcome"),
            buckets=_OPERATION_BUCKETS,
            registry=self._registry,
        )
        self._cache = TallyCounter(
            "todo_cache_requests",
            "What reads came to at a level of the cache: answers (in the process), bodies (in "
            "Redis), storage (MongoDB).",
            ("level", "outcome"),
        )
        self._unproved = TallyCounter(
            "todo_cache_unproved",
            "Proofs of freshness that failed: a write may be under way, or Redis is away.",
            ("reason",),
        )
        self._proofs = TallyHistogram(
            "todo_cache_proof_requests",
            "Requests that one round trip to Redis proved the freshness for.",
            (),
            buckets=_BATCH_BUCKETS,
        )
        self._creates = TallyHistogram(
            "todo_create_batch_todos",
            "New todos that were stored by one write.",
            (),
            buckets=_BATCH_BUCKETS,
        )
        for tallies in (self._cache, self._unproved, self._proofs, self._creates):
            self._registry.register(tallies)
        self._cache_bytes = Gauge(
            "todo_cache_bytes", "Bytes of answers that the process keeps.", registry=self._registry
        )
        self._lag = Histogram(
            "todo_eventloop_lag_seconds",
            "How late the event loop runs what is due.",
            buckets=_LAG_BUCKETS,
            registry=self._registry,
        )
        self._faults = Counter(
            "todo_faults_total",
            "Requests that ended in an error of ours (500).",
            registry=self._registry,
        )

    def requests(
        self, count: int, *, method: str, route: str, status: int, scheme: str, seconds: float
    ) -> None:
        """Record answered requests of one kind; ``route`` is the template, never the path."""
        label = method if method in METHODS else "_OTHER"
        self._requests.observe((label, route, str(int(status)), scheme), seconds, count)

    def refused(self, status: int) -> None:
        """Record a request that the server refused."""
        self._refused.labels(str(status)).inc()

    def watch_server(
        self, *, active_requests: Callable[[], float], open_connections: Callable[[], float]
    ) -> None:
        """Ask the server, whenever the metrics are rendered, for what it counts itself."""
        self._active.set_function(active_requests)
        self._connections.set_function(open_connections)

    def storage_operation(self, name: str, outcome: str, seconds: float) -> None:
        """Record a database operation; ``outcome`` is ok, unavailable or error."""
        self._operations.labels("mongodb", name, outcome).observe(seconds)

    def cache(self, level: str, outcome: str, reads: int = 1) -> None:
        """Record what reads came to at a level of the cache."""
        self._cache.counts[level, outcome] += reads

    def proof(self, requests: int) -> None:
        """Record a round trip that proves the freshness for so many requests."""
        self._proofs.observe((), requests)

    def unproved(self, reason: str) -> None:
        """Record that a proof of freshness failed, because of ``writing`` or ``redis_away``."""
        self._unproved.counts[reason,] += 1

    def creates(self, todos: int) -> None:
        """Record a write of new todos."""
        self._creates.observe((), todos)

    def watch_cache(self, held_bytes: Callable[[], float]) -> None:
        """Ask the cache, whenever the metrics are rendered, for what it counts itself."""
        self._cache_bytes.set_function(held_bytes)

    def loop_lag(self, seconds: float) -> None:
        """Record how late the event loop ran something that was due."""
        self._lag.observe(seconds)

    def fault(self) -> None:
        """Record a request that ended in an error of ours."""
        self._faults.inc()

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
