"""Serves until told to stop, then drains."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from time import perf_counter
from typing import Any

from tornado.httpserver import HTTPServer

from app.bootstrap import make_application, make_health, make_repository
from app.domain.todo import PUBLIC_OWNER
from app.errors import StorageUnavailable
from app.metrics import Metrics
from app.resources import open_resources
from app.settings import Settings
from app.storage.todos import MongoTodoRepository
from handlers.application import TodoApplication

log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
"""Between two attempts to prepare a storage that is away: soon after it is back, no storm."""

_LAG_INTERVAL_SECONDS = 0.5
"""Between two measurements of the event loop: often enough to catch a blocking call, and free."""

_INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended, as shells give it."""


async def serve(
    settings: Settings,
    sockets: list[socket.socket],
    *,
    mongo_uri: str,
    redis_url: str | None,
    on_listening: Callable[[], None],
) -> None:
    """Serve on the sockets until SIGTERM or SIGINT, then finish what is in flight.

    Args:
        settings: everything that can be set.
        sockets: bound and listening; closed when this returns.
        mongo_uri: the MongoDB to use.
        redis_url: the Redis to use, or None.
        on_listening: called once, when requests are being answered.
    """
    stop = _stop_on_signals()
    metrics = Metrics()
    async with open_resources(settings, mongo_uri=mongo_uri, redis_url=redis_url) as resources:
        repository = make_repository(settings, resources, metrics)
        async with (
            _background(_prepare(repository)) as preparation,
            _background(_measure_lag(metrics)),
        ):
            # A storage that is away must not keep the process from answering 503 and /livez.
            await asyncio.wait({preparation}, timeout=settings.mongo_connect_seconds)
            health = make_health(settings, resources, repository)
            application = make_application(
                settings, repository=repository, health=health, metrics=metrics
            )
            server = make_server(settings, application)
            server.add_sockets(sockets)
            try:
                on_listening()
                await _wait_for_stop(stop, preparation)
            finally:
                health.draining = True
                await _drain(server, application, settings.drain_seconds)


def make_server(settings: Settings, application: TodoApplication) -> HTTPServer:
    """Return the HTTP server of the application, with the limits of the settings."""
    return HTTPServer(
        application,
        max_header_size=settings.max_header_bytes,
        idle_connection_timeout=settings.idle_timeout_seconds,
        body_timeout=settings.body_timeout_seconds,
        # The handlers bound the body, so that a client is told 413 in our words.
        max_body_size=2**63,
    )


def _stop_on_signals() -> asyncio.Event:
    """Return the event that the first signal sets; the second one ends the process at once."""
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(_INTERRUPTED)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return stop


async def _wait_for_stop(stop: asyncio.Event, preparation: "asyncio.Task[None]") -> None:
    """Return when a signal came; raise what made the preparation fail for good."""
    async with _background(stop.wait()) as stopped:
        await asyncio.wait({stopped, preparation}, return_when=asyncio.FIRST_COMPLETED)
        if not stopped.done():
            await preparation
            await stopped


async def _drain(server: HTTPServer, application: TodoApplication, seconds: float) -> None:
    server.stop()
    log.info("stopping: no new connections, waiting for requests in flight")
    server.conn_params.no_keep_alive = True  # What is still asked is answered with a close.
    try:
        await asyncio.wait_for(application.wait_until_idle(), seconds)
    except TimeoutError:
        log.warning("cutting off requests that take longer than %g s", seconds)
    await server.close_all_connections()


async def _prepare(repository: MongoTodoRepository) -> None:
    waiting = False
    while True:
        try:
            await repository.prepare(owner=PUBLIC_OWNER)
        except StorageUnavailable as error:
            if not waiting:
                log.warning("MongoDB does not answer (%s): trying on", error.__cause__)
            waiting = True
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            if waiting:
                log.info("MongoDB answers")
            return


async def _measure_lag(metrics: Metrics) -> None:
    while True:
        due = perf_counter() + _LAG_INTERVAL_SECONDS
        await asyncio.sleep(_LAG_INTERVAL_SECONDS)
        metrics.loop_lag(max(0.0, perf_counter() - due))


@asynccontextmanager
async def _background(work: Coroutine[Any, Any, Any]) -> "AsyncIterator[asyncio.Task[Any]]":
    """Run work beside the body of the ``async with``; it ends with it."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
