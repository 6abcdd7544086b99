"""Fixtures for tests of `app.httpserver`: real servers in the test's own process.

===========  ====================================================================================
loop_kind    uvloop, then asyncio; a test that needs one of them parametrizes it
run          ``run(coroutine)`` on such a loop; tasks left on it fail the test
options      the defaults; a test changes them by parametrizing it
ran          which handlers ran, see `echo_application`
seconds      the time of ``server.clock`` and ``clock``, which stands still until the test moves it
clock        a `Clock` that nobody has started
server       a `Server` of the echo application that listens on no socket
visit        a client of that server in memory, whose time the test moves
port         where that server listens on 127.0.0.1
===========  ====================================================================================
"""

import asyncio
from collections.abc import Iterator

import pytest
import uvloop
from clock import Clock as Seconds
from echo_application import Ran, make_echo_application
from visit import Run, Visit

from app.httpserver import Options, Server
from app.httpserver.clock import Clock

_TURNS_TO_END = 20


@pytest.fixture(params=["uvloop", "asyncio"])
def loop_kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def run(loop_kind: str) -> Iterator[Run]:
    factory = uvloop.new_event_loop if loop_kind == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        yield runner.run
        left = [task for task in asyncio.all_tasks(runner.get_loop()) if not task.done()]
    assert not left, f"tasks left behind: {left}"


@pytest.fixture
def options() -> Options:
    return Options()


@pytest.fixture
def ran() -> Ran:
    return Ran(list)


@pytest.fixture
def seconds() -> Seconds:
    return Seconds(100.5)


@pytest.fixture
def clock(seconds: Seconds) -> Clock:
    return Clock(monotonic=seconds, wall=lambda: 784_111_777.0)


@pytest.fixture
def server(run: Run, options: Options, ran: Ran, seconds: Seconds) -> Iterator[Server]:
    async def start() -> Server:
        server = Server(make_echo_application(ran), options=options)
        server.clock = Clock(monotonic=seconds)
        return server

    async def stop() -> None:
        server.stop()
        await server.close_all_connections()
        for _ in range(_TURNS_TO_END):  # For handlers, which are told that their client is gone.
            await asyncio.sleep(0)

    server = run(start())
    yield server
    run(stop())


@pytest.fixture
def port(run: Run, server: Server) -> int:
    async def listen() -> int:
        (listening,) = server.listen(0)
        return listening.getsockname()[1]

    return run(listen())


@pytest.fixture
def visit(run: Run, server: Server, seconds: Seconds) -> Visit:
    return Visit(run, server, seconds)
