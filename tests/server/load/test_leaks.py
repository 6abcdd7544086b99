"""Nothing is left of a request: no descriptor, no task, no object, no reference cycle."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from http_client import Client, request
from http_serving import Hello, on_both_loops, serving, until
from laters import GET, READY, Laters, waiting
from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler

from app.httpserver import Options
from app.httpserver.connection import Connection
from app.httpserver.exchange import Exchange
from benchmarks.leaks import compare
from benchmarks.load_server import load_server

REQUESTS = 20_000
FEW_OBJECTS = 200
"""What a process makes for reasons of its own; a leak makes as many as there are requests."""

CYCLED = 200
KEPT = (Exchange, Connection, RequestHandler, HTTPServerRequest)


@pytest.mark.parametrize("target", ["/", "/ready"])
def test_nothing_is_left_of_many_requests(target: str) -> None:
    with load_server() as server:
        before, after = compare(server, target, REQUESTS)
    assert after.descriptors == before.descriptors
    assert after.tasks == before.tasks
    assert after.connections == before.connections
    assert after.objects - before.objects <= FEW_OBJECTS


@contextmanager
def _cycles() -> Iterator[list[object]]:
    """Give the list that is, after the block, of what only the garbage collector has found."""
    found: list[object] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += [thing for thing in gc.garbage if isinstance(thing, KEPT)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@on_both_loops
async def test_an_ordinary_request_makes_no_cycle() -> None:
    async with (
        serving(Application([("/", Hello)])) as (_, port),
        await Client.connect(port) as client,
    ):
        await client.call(request("/"))
        with _cycles() as found:
            for _ in range(CYCLED):
                await client.call(request("/"))
    assert not found


@on_both_loops
async def test_a_request_with_a_body_makes_no_cycle() -> None:
    class Post(Hello):
        post = Hello.get

    async with (
        serving(Application([("/", Post)])) as (_, port),
        await Client.connect(port) as client,
    ):
        await client.call(request("/", method="POST", body=b"body"))
        with _cycles() as found:
            for _ in range(CYCLED):
                await client.call(request("/", method="POST", body=b"body"))
    assert not found


@on_both_loops
async def test_a_request_that_is_answered_later_leaves_no_cycle() -> None:
    laters = Laters()
    async with waiting(laters) as (server, port, _):
        with _cycles() as found:
            for _ in range(CYCLED):
                async with await Client.connect(port) as client:
                    client.send(GET)
                    await until(lambda: bool(laters.made))
                    laters.made.pop().answer(READY)
                    await client.receive()
            await until(lambda: not server.statistics.connections)
    assert not found


@on_both_loops
async def test_a_connection_that_is_closed_makes_no_cycle() -> None:
    async with serving(Application([("/", Hello)])) as (server, port):
        with _cycles() as found:
            for _ in range(CYCLED):
                async with await Client.connect(port) as client:
                    await client.call(request("/", "Connection: close"))
            await until(lambda: not server.statistics.connections)
    assert not found


@on_both_loops
async def test_a_connection_that_is_refused_makes_no_cycle() -> None:
    async with serving(Application([("/", Hello)]), options=Options()) as (server, port):
        with _cycles() as found:
            for _ in range(CYCLED):
                async with await Client.connect(port) as client:
                    assert (await client.call(b"nonsense\r\n\r\n")).status == 400
            await until(lambda: not server.statistics.connections)
    assert not found
