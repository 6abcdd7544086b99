"""Runs a `Server` on the test's own event loop, on uvloop and on asyncio's."""

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from tornado.httputil import HTTPServerConnectionDelegate
from tornado.web import RequestHandler

from app.httpserver import Server
from app.httpserver.clock import Clock
from app.httpserver.connection import Connection

DEADLINE_SECONDS = 120.0
"""For everything that should take milliseconds: only a failing test waits this long."""

LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
_POLL_SECONDS = 0.002
_TURNS = 50


def on_both_loops(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Turn a coroutine function into a test that runs on both loops and leaves no task behind."""

    async def bounded(owner: tuple[Any, ...], arguments: dict[str, Any]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await test(*owner, **arguments)
            await until(lambda: len(asyncio.all_tasks()) == 1)

    @functools.wraps(test)
    def run(*owner: Any, loop: str, **arguments: Any) -> None:
        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(bounded(owner, arguments))

    own = inspect.Parameter("loop", inspect.Parameter.KEYWORD_ONLY)
    given = inspect.signature(test).parameters.values()
    # pytest reads the names of fixtures off the signature.
    run.__signature__ = inspect.Signature([*given, own])  # type: ignore[attr-defined]
    return pytest.mark.parametrize("loop", LOOPS)(run)


@asynccontextmanager
async def serving(
    application: HTTPServerConnectionDelegate, **arguments: Any
) -> AsyncIterator[tuple[Server, int]]:
    """Serve on a free port of 127.0.0.1 until the block is left; give the server and the port."""
    server = Server(application, **arguments)
    (listening,) = server.listen(0)
    try:
        yield server, listening.getsockname()[1]
    finally:
        server.stop()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await server.close_all_connections()


async def until(condition: Callable[[], bool]) -> None:
    """Return when a condition holds; the test's deadline ends it."""
    while not condition():  # noqa: ASYNC110 - what is waited for is no event of ours.
        await asyncio.sleep(_POLL_SECONDS)


async def turn_loop() -> None:
    """Let everything run that is ready, and what that makes ready."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def pass_time(server: Server, seconds: float) -> None:
    """Move the server's clock forward; what is due by then happens at once."""
    clock = server.clock
    before = clock._monotonic
    clock._monotonic = lambda: before() + seconds
    tick(clock)


def tick(clock: Clock) -> None:
    """Let a clock tick, and everything expire that does before its next tick."""
    clock.tick()
    clock.expire()


def only_connection(server: Server) -> Connection:
    """Return the one connection that is open."""
    (connection,) = server._connections
    return connection


class Hello(RequestHandler):
    """Answers at once."""

    def get(self) -> None:
        self.write("hello")


class Echo(RequestHandler):
    """Answers with the request's body."""

    def post(self) -> None:
        self.write(self.request.body)


class Gated(RequestHandler):
    """Answers when the test opens the gate; tells when it has begun and who has gone."""

    def initialize(self, gate: "Gate") -> None:
        self._gate = gate

    async def get(self, name: str = "") -> None:
        self._gate.began.append(name)
        await self._gate.open.wait()
        self.write(f"gated {name}")

    def on_connection_close(self) -> None:
        self._gate.lost.append(self.path_args[0] if self.path_args else "")


class Gate:
    """What a `Gated` handler waits for."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.began: list[str] = []
        self.lost: list[str] = []
