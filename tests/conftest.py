"""Fixtures, from the outside in. Every test talks to a real MongoDB and a real Redis.

================  ===========================================================================
servers           one embedded MongoDB and Redis for the whole run
mongo_uri         a database of the test's own on that MongoDB, dropped afterwards
redis_url         that Redis; a test that wants another, or none, parametrizes it
io_loop           the test's event loop; tasks left on it fail the test (pytest-tornado's name)
settings          the defaults, with deadlines that a busy machine keeps; a test changes them with
                  ``replace``
long_lease        (always on) who fills a body of the cache has as long as a busy machine takes
clock             the time, which stands still until the test moves it
resources         open connections to the test's database
operation_time    what the repository's reads are at least as new as
repository        a `MongoTodoRepository` on them; prepared, unless ``is_prepared`` is False
cache             the cache in front of it, in Redis and in the process
health            asks both
app, http_server  the application and its server, as in production (pytest-tornado's names)
api               calls the server and holds every answer against the contract: `tests.api.Api`
unexpected_logs   (always on) a log line at WARNING or above that no test expects fails it
expect_log        ``expect_log("text")``: such a line must appear, and is no failure
access_lines      takes what was logged of requests since the last call, as read from the JSON
================  ===========================================================================
"""

import asyncio
import json
import logging
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from api import Api
from clock import Clock
from own_database import own_database
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port

from app import log
from app.bootstrap import Cache, make_application, make_cache, make_health, make_repository
from app.cache import bodies
from app.domain.todo import PUBLIC_OWNER
from app.embedded import EmbeddedServers, join_servers
from app.httpserver import Server
from app.metrics import Metrics
from app.resources import Resources, open_resources
from app.services.freshness import OperationTime
from app.services.health import HealthService
from app.serving import make_server
from app.settings import Settings
from app.storage.todos import MongoTodoRepository
from handlers.application import TodoApplication

_SLOWEST_FILES = 20

# An example that takes longer than another says something of the machine, not of the code.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

# A shell lets what runs in its background ignore Ctrl-C, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.partition("::")[0]] += report.duration
    if len(seconds) > 1:
        terminalreporter.section("slowest files")
        for file, duration in seconds.most_common(_SLOWEST_FILES):
            terminalreporter.line(f"{duration:7.1f} s  {file}")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServers]:
    with join_servers(tmp_path_factory.mktemp("servers")) as servers:
        yield servers


@pytest.fixture
def mongo_uri(servers: EmbeddedServers) -> Iterator[str]:
    with own_database(servers.mongo_uri) as uri:
        yield uri


@pytest.fixture
def redis_url(servers: EmbeddedServers) -> str | None:
    return servers.redis_url


@pytest.fixture
def io_loop() -> Iterator[IOLoop]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield IOLoop.current()
    left = [task for task in asyncio.all_tasks(loop) if not task.done()]
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    IOLoop.current().close(all_fds=True)
    asyncio.set_event_loop(None)
    assert not left, f"tasks left behind: {left}"


@pytest.fixture
def settings() -> Settings:
    return Settings(
        mongo_operation_seconds=10.0,
        redis_timeout_seconds=5.0,
        ready_timeout_seconds=5.0,
        drain_seconds=60.0,
    )


@pytest.fixture(autouse=True)
def long_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_LEASE_MILLISECONDS", 600_000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def resources(
    io_loop: IOLoop, settings: Settings, mongo_uri: str, redis_url: str | None
) -> Iterator[Resources]:
    context = open_resources(settings, mongo_uri=mongo_uri, redis_url=redis_url)
    yield io_loop.run_sync(context.__aenter__)
    io_loop.run_sync(lambda: context.__aexit__(None, None, None))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def is_prepared() -> bool:
    return True


@pytest.fixture
def operation_time() -> OperationTime:
    return OperationTime()


@pytest.fixture
def repository(
    io_loop: IOLoop,
    settings: Settings,
    resources: Resources,
    metrics: Metrics,
    operation_time: OperationTime,
    is_prepared: bool,
) -> MongoTodoRepository:
    repository = make_repository(settings, resources, metrics, operation_time)
    if is_prepared:
        io_loop.run_sync(lambda: repository.prepare(owner=PUBLIC_OWNER))
    return repository


@pytest.fixture
def cache(
    io_loop: IOLoop,
    settings: Settings,
    resources: Resources,
    metrics: Metrics,
    operation_time: OperationTime,
) -> Cache:
    return make_cache(settings, resources, metrics, operation_time)


@pytest.fixture
def health(settings: Settings, repository: MongoTodoRepository, cache: Cache) -> HealthService:
    return make_health(settings, repository, cache)


@pytest.fixture
def app(
    settings: Settings,
    repository: MongoTodoRepository,
    cache: Cache,
    health: HealthService,
    metrics: Metrics,
    clock: Clock,
) -> TodoApplication:
    return make_application(
        settings, repository=repository, cache=cache, health=health, metrics=metrics, clock=clock
    )


@pytest.fixture
def http_server(
    io_loop: IOLoop, settings: Settings, app: TodoApplication, metrics: Metrics
) -> Iterator[tuple[Server, int]]:
    async def start() -> tuple[Server, int]:
        listening, port = bind_unused_port()
        server = make_server(settings, app, metrics)
        server.add_sockets([listening])
        return server, port

    server, port = io_loop.run_sync(start)
    yield server, port
    server.stop()
    io_loop.run_sync(server.close_all_connections)


@pytest.fixture
def api(io_loop: IOLoop, http_server: tuple[Server, int]) -> Iterator[Api]:
    api = io_loop.run_sync(lambda: _make_api(http_server[1]))
    yield api
    api.close()


async def _make_api(port: int) -> Api:
    return Api(port)


class _Recorder(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(autouse=True)
def unexpected_logs() -> Iterator[list[str]]:
    recorder = _Recorder()
    expected: list[str] = []
    logging.getLogger().addHandler(recorder)
    yield expected
    logging.getLogger().removeHandler(recorder)
    for text in expected:
        assert any(text in line for line in recorder.lines), f"not logged: {text}"
    unexpected = [line for line in recorder.lines if not any(text in line for text in expected)]
    assert not unexpected, "unexpected log lines:\n" + "\n".join(unexpected)


@pytest.fixture
def expect_log(unexpected_logs: list[str]) -> Callable[[str], None]:
    return unexpected_logs.append


@pytest.fixture
def access_lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    lines: list[str] = []

    def take() -> list[dict[str, Any]]:
        taken = [json.loads(line) for line in lines]
        lines.clear()
        return taken

    log.access.write_to(lines.extend)
    yield take
    log.access.write_to(None)
