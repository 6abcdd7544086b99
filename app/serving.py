"""Serves until told to stop, then drains."""

import asyncio
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

from app.bootstrap import (
    make_application,
    make_cache,
    make_doors,
    make_health,
    make_repository,
)
from app.domain.todo import PUBLIC_OWNER
from app.errors import StorageUnavailable
from app.httpserver import Options, Server
from app.metrics import Metrics
from app.resources import background, open_resources
from app.services.freshness import OperationTime
from app.settings import Settings
from app.storage.operations import reason_of
from app.storage.todos import MongoTodoRepository
from handlers.application import TodoApplication
from handlers.refusals import refusals

log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
"""Between two attempts to prepare a storage that is away: soon after it is back, no storm."""

_LOOK_SECONDS = 1.0
"""Between two looks at the embedded servers' keeper: some system calls."""

_LAG_INTERVAL_SECONDS = 0.5
"""Between two measurements of the event loop: often enough to catch a blocking call, and free."""

_RESERVED_DESCRIPTORS = 256
"""For everything but clients: connections to MongoDB and Redis, files, the event loop."""

_ENOUGH_DESCRIPTORS = 1_048_576
"""Where there is no limit; Linux's own for a process (fs.nr_open)."""

_READY_BODY_BYTES = 16_384
"""Of a POST on the short cut: four times the 4,096 characters of the longest content. Longer ones,
such as forms of many Chinese characters, take the ordinary road."""

_SWITCH_SECONDS = 0.0005
"""After which a thread of the driver gets its turn, if the loop has much to do. Python's 5 ms are
as long as a write of many new todos takes in MongoDB (docs/decisions/0006)."""

_INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended, as shells give it."""


async def serve(
    settings: Settings,
    listen: Callable[[], list[socket.socket]],
    *,
    mongo_uri: str,
    redis_url: str | None,
    on_listening: Callable[[bool], None],
    look_after: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight.

    Args:
        settings: everything that can be set.
        listen: returns sockets that listen; called when requests can be answered.
        mongo_uri: the MongoDB to use.
        redis_url: the Redis to use, or None.
        on_listening: called once, when requests are being answered; told whether MongoDB has been
            found.
        look_after: called now and then in a thread; what it raises ends the service.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    metrics = Metrics()
    async with open_resources(settings, mongo_uri=mongo_uri, redis_url=redis_url) as resources:
        operation_time = OperationTime()
        repository = make_repository(settings, resources, metrics, operation_time)
        cache = make_cache(settings, resources, metrics, operation_time)
        async with (
            background(_stop_on_signals().wait()) as stopped,
            background(_prepare(repository)) as preparation,
            background(_look_after(look_after)) as looking_after,
            background(_measure_lag(metrics)),
        ):
            # A storage that is away must not keep the process from answering 503 and /livez, unless
            # others can answer more.
            seconds = None if settings.listen_when_ready else settings.mongo_connect_seconds
            if await _first_of(stopped, looking_after, preparation, within=seconds) is stopped:
                return
            health = make_health(settings, repository, cache)
            application = make_application(
                settings, repository=repository, cache=cache, health=health, metrics=metrics
            )
            if closed_because := make_doors(settings).closed_because:
                log.warning("nobody is served: %s (see the setting anonymous)", closed_because)
            server = make_server(settings, application, metrics)
            server.add_sockets(listen())
            try:
                on_listening(preparation.done())
                if await _first_of(stopped, looking_after, preparation) is preparation:
                    await _first_of(stopped, looking_after)
            finally:
                health.draining = True
                await _drain(server, settings)


def make_server(settings: Settings, application: TodoApplication, metrics: Metrics) -> Server:
    """Return the HTTP server of the application, with the limits of the settings."""
    options = Options(
        trusted_proxies=settings.trusted_networks,
        max_request_line_bytes=settings.max_request_line_bytes,
        max_field_bytes=settings.max_header_field_bytes,
        max_fields=settings.max_header_fields,
        max_fields_bytes=settings.max_header_bytes,
        max_body_bytes=settings.max_body_bytes,
        max_held_bytes=settings.max_pipelined_bytes,
        ready_body_bytes=_READY_BODY_BYTES,
        head_seconds=settings.header_timeout_seconds,
        body_seconds=settings.body_timeout_seconds,
        min_body_rate=settings.min_body_rate,
        idle_seconds=settings.idle_timeout_seconds,
        write_seconds=settings.write_timeout_seconds,
        max_connections=min(settings.max_connections, _raise_descriptor_limit()),
    )
    server = Server(
        application,
        options=options,
        ready=application.ready,
        ready_fields=application.ready_fields,
        may_be_ready=application.may_be_ready,
        own_field=application.own_field,
        refuse=refusals(metrics, application.routes),
    )
    metrics.watch_server(
        active_requests=lambda: server.statistics.in_flight,
        open_connections=lambda: server.statistics.connections,
    )
    return server


def _raise_descriptor_limit() -> int:
    """Raise the limit of open files to what is allowed, and return how many clients may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = _ENOUGH_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return max(limit - _RESERVED_DESCRIPTORS, limit // 2)


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


async def _drain(server: Server, settings: Settings) -> None:
    await server.stop_after_waiting()  # So that the next line is true; drain() begins with it.
    log.info("stopping: no new connections, waiting for requests in flight")
    seconds = settings.drain_seconds
    if not await server.drain(seconds, idle_seconds=settings.drain_idle_seconds):
        log.warning("cutting off requests that take longer than %g s", seconds)
        await server.close_all_connections()


async def _prepare(repository: MongoTodoRepository) -> None:
    waiting = False
    while True:
        try:
            await repository.prepare(owner=PUBLIC_OWNER)
        except StorageUnavailable as error:
            if not waiting:
                log.warning("MongoDB does not answer (%s): trying on", reason_of(error))
            waiting = True
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            if waiting:
                log.info("MongoDB answers")
            return


async def _look_after(look: Callable[[], None] | None) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if look is not None:
            await asyncio.to_thread(look)


async def _measure_lag(metrics: Metrics) -> None:
    while True:
        due = perf_counter() + _LAG_INTERVAL_SECONDS
        await asyncio.sleep(_LAG_INTERVAL_SECONDS)
        metrics.loop_lag(max(0.0, perf_counter() - due))
