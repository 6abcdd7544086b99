"""Serves until told to stop, then drains."""

import asyncio
import logging
import os
import select
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

_ACCEPT_TURNS = 100
"""Turns of the loop for connections that wait to be accepted; each takes up to 128."""

_ARRIVAL_SECONDS = 0.05
"""For requests that were sent before their connection was accepted to arrive and be counted."""

_INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended, as shells give it."""


async def serve(
    settings: Settings,
    sockets: list[socket.socket],
    *,
    mongo_uri: str,
    redis_url: str | None,
    on_listening: Callable[[bool], None],
) -> None:
    """Serve on the sockets until SIGTERM or SIGINT, then finish what is in flight.

    Args:
        settings: everything that can be set.
        sockets: bound and listening; closed once it has served.
        mongo_uri: the MongoDB to use.
        redis_url: the Redis to use, or None.
        on_listening: called once, when requests are being answered; told whether MongoDB has been
            found.
    """
    metrics = Metrics()
    async with open_resources(settings, mongo_uri=mongo_uri, redis_url=redis_url) as resources:
        repository = make_repository(settings, resources, metrics)
        async with (
            _background(_stop_on_signals().wait()) as stopped,
            _background(_prepare(repository)) as preparation,
            _background(_measure_lag(metrics)),
        ):
            # A storage that is away must not keep the process from answering 503 and /livez.
            seconds = settings.mongo_connect_seconds
            if await _first_of(stopped, preparation, within=seconds) is stopped:
                return
            health = make_health(settings, resources, repository)
            application = make_application(
                settings, repository=repository, health=health, metrics=metrics
            )
            server = make_server(settings, application)
            server.add_sockets(sockets)
            try:
                on_listening(preparation.done())
                if await _first_of(stopped, preparation) is preparation:
                    await stopped
            finally:
                health.draining = True
                await _drain(server, sockets, application, settings.drain_seconds)


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
    """Return the event that the first signal sets; a second Ctrl-C ends the process at once.

    A second SIGTERM does not: make, timeout and supervisors send it to a process and to its group.
    """
    stop = asyncio.Event()

    def on_interrupt() -> None:
        if stop.is_set():
            os._exit(_INTERRUPTED)
        stop.set()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, on_interrupt)
    return stop


async def _first_of(*tasks: "asyncio.Task[Any]", within: float | None = None) -> object:
    """Return the first of these tasks that has ended, or None; raise what one has failed with."""
    await asyncio.wait(tasks, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    ended = [task for task in tasks if task.done()]
    for task in ended:
        task.result()
    return ended[0] if ended else None


async def _drain(
    server: HTTPServer, sockets: list[socket.socket], application: TodoApplication, seconds: float
) -> None:
    await _accept_waiting(sockets)
    server.stop()
    log.info("stopping: no new connections, waiting for requests in flight")
    server.conn_params.no_keep_alive = True  # What is still asked is answered with a close.
    await asyncio.sleep(_ARRIVAL_SECONDS)
    try:
        async with asyncio.timeout(seconds):
            await application.in_flight.wait_until_none()
    except TimeoutError:
        log.warning("cutting off requests that take longer than %g s", seconds)
    await server.close_all_connections()


async def _accept_waiting(sockets: list[socket.socket]) -> None:
    """Take in the connections that the kernel has made already: closing now would reset them."""
    poll = select.poll()
    for listening in sockets:
        poll.register(listening, select.POLLIN)
    for _ in range(_ACCEPT_TURNS):
        if not poll.poll(0):
            return
        await asyncio.sleep(0)


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
