"""How a server ends: stop, drain, close_all_connections."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from http_client import Client, request
from http_serving import DEADLINE_SECONDS, Echo, Gate, Gated, Hello, on_both_loops, serving, until
from tornado.web import Application

from app.httpserver import Server

LONG_SECONDS = 120.0
SHORT_SECONDS = 0.05
MORE_THAN_ARRIVAL_SECONDS = 0.3
"""A drain that is not told to wait for idle clients has ended by then."""


@asynccontextmanager
async def _serving(gate: Gate) -> AsyncIterator[tuple[Server, int]]:
    routes = [("/", Hello), ("/echo", Echo), (r"/gated/?(\w*)", Gated, {"gate": gate})]
    async with serving(Application(routes)) as (server, port):
        yield server, port


@on_both_loops
async def test_open_connections_go_on_after_a_stop() -> None:
    async with _serving(Gate()) as (server, port), await Client.connect(port) as client:
        await client.call(request("/"))
        server.stop()
        assert (await client.call(request("/"))).body == b"hello"


@on_both_loops
async def test_a_drain_answers_what_is_in_flight_and_then_closes() -> None:
    gate = Gate()
    async with _serving(gate) as (server, port), await Client.connect(port) as client:
        client.send(request("/gated/one"))
        await until(lambda: bool(gate.began))
        draining = asyncio.create_task(server.drain(LONG_SECONDS))
        await until(lambda: server.is_draining)
        gate.open.set()
        answer = await client.receive()
        assert answer.body == b"gated one"
        assert answer.closes
        assert await client.rest() == b""
        assert await draining is True


@on_both_loops
async def test_a_drain_waits_for_a_body_that_is_on_its_way() -> None:
    async with _serving(Gate()) as (server, port), await Client.connect(port) as client:
        sent = request("/echo", method="POST", body=b"whole")
        client.send(sent[:-1])
        await until(lambda: server.statistics.in_flight == 1)
        draining = asyncio.create_task(server.drain(LONG_SECONDS))
        await until(lambda: server.is_draining)
        client.send(sent[-1:])
        assert (await client.receive()).body == b"whole"
        assert await draining is True


@on_both_loops
async def test_a_drain_closes_idle_connections() -> None:
    async with _serving(Gate()) as (server, port):
        async with await Client.connect(port) as used, await Client.connect(port) as unused:
            await used.call(request("/"))
            await until(lambda: server.statistics.connections == 2)
            assert await server.drain(LONG_SECONDS) is True
            assert await used.rest(why="it is idle") == await unused.rest() == b""
        assert server.statistics.connections == 0


@on_both_loops
async def test_a_drain_that_waits_for_idle_clients_answers_what_they_send_and_closes() -> None:
    async with _serving(Gate()) as (server, port), await Client.connect(port) as client:
        await client.call(request("/"))
        draining = asyncio.create_task(server.drain(LONG_SECONDS, idle_seconds=LONG_SECONDS))
        await until(lambda: server.is_draining)
        ended, _ = await asyncio.wait({draining}, timeout=MORE_THAN_ARRIVAL_SECONDS)
        assert not ended
        answer = await client.call(request("/"))
        assert answer.body == b"hello"
        assert answer.closes
        assert await client.rest() == b""
        assert await draining is True


@on_both_loops
async def test_a_drain_that_waits_for_idle_clients_ends_when_the_last_has_closed() -> None:
    async with _serving(Gate()) as (server, port):
        async with await Client.connect(port) as client:
            await client.call(request("/"))
            draining = asyncio.create_task(server.drain(LONG_SECONDS, idle_seconds=LONG_SECONDS))
            await until(lambda: server.is_draining)
        assert await draining is True


@on_both_loops
async def test_a_drain_closes_idle_clients_when_it_has_waited() -> None:
    async with _serving(Gate()) as (server, port), await Client.connect(port) as client:
        await client.call(request("/"))
        assert await server.drain(LONG_SECONDS, idle_seconds=SHORT_SECONDS) is True
        assert await client.rest(why="it is idle") == b""


@on_both_loops
async def test_a_drain_answers_connections_that_are_not_accepted_yet() -> None:
    async with _serving(Gate()) as (server, port):
        clients = []
        # Without giving the loop a turn: the server has accepted none of them.
        for _ in range(200):
            own = socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS)
            own.sendall(request("/"))
            clients.append(own)
        assert server.statistics.accepted == 0
        assert await server.drain(LONG_SECONDS) is True
        for own in clients:
            with own:
                assert own.recv(16).startswith(b"HTTP/1.1 200")


@on_both_loops
async def test_what_a_drain_leaves_in_flight_goes_on() -> None:
    gate = Gate()
    async with _serving(gate) as (server, port), await Client.connect(port) as client:
        client.send(request("/gated/one"))
        await until(lambda: bool(gate.began))
        assert await server.drain(SHORT_SECONDS) is False
        gate.open.set()
        assert (await client.receive()).body == b"gated one"
        assert await client.rest() == b""


@on_both_loops
async def test_what_a_drain_leaves_in_flight_can_be_cut_off() -> None:
    gate = Gate()
    async with _serving(gate) as (server, port), await Client.connect(port) as client:
        client.send(request("/gated/one"))
        await until(lambda: bool(gate.began))
        assert await server.drain(SHORT_SECONDS) is False
        await server.close_all_connections()
        assert server.statistics.connections == 0
        assert gate.lost == ["one"]
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.receive()
        gate.open.set()


@on_both_loops
async def test_half_a_head_holds_a_drain_up_until_it_is_cut_off() -> None:
    async with _serving(Gate()) as (server, port), await Client.connect(port) as client:
        await client.call(request("/"))
        client.send(b"GET / HT")
        await until(lambda: any(one.has_input for one in server._connections))
        assert await server.drain(SHORT_SECONDS) is False
        await server.close_all_connections()
        assert server.statistics.connections == 0


@on_both_loops
async def test_connections_that_are_not_accepted_yet_survive_a_stop_that_waits() -> None:
    async with _serving(Gate()) as (server, port):
        with socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS) as own:
            own.sendall(request("/"))
            assert server.statistics.accepted == 0
            await server.stop_after_waiting()
            await until(lambda: server.statistics.requests == 1)
            assert own.recv(16).startswith(b"HTTP/1.1 200")


@on_both_loops
async def test_a_drain_with_nothing_to_do_is_done() -> None:
    async with _serving(Gate()) as (server, _):
        assert await server.drain(LONG_SECONDS) is True


@on_both_loops
async def test_pipelined_requests_of_a_draining_server_are_cut_after_one_that_says_so() -> None:
    gate = Gate()
    async with _serving(gate) as (server, port):
        async with await Client.connect(port) as client:
            client.send(request("/gated/one") + request("/gated/two"))
            await until(lambda: bool(gate.began))
            draining = asyncio.create_task(server.drain(LONG_SECONDS))
            await until(lambda: server.is_draining)
            gate.open.set()
            assert (await client.receive()).closes
            assert await client.rest() == b""
        assert await draining is True
    assert gate.began == ["one"]


@on_both_loops
async def test_closing_all_connections_closes_busy_and_idle_ones() -> None:
    gate = Gate()
    async with (
        _serving(gate) as (server, port),
        await Client.connect(port) as busy,
        await Client.connect(port) as idle,
    ):
        await idle.call(request("/"))
        busy.send(request("/gated/one"))
        await until(lambda: bool(gate.began))
        await server.close_all_connections()
        assert server.statistics.connections == 0
        assert server.statistics.in_flight == 0
        assert gate.lost == ["one"]
        gate.open.set()


@pytest.mark.parametrize("turns", range(7))
@on_both_loops
async def test_closing_all_connections_takes_those_that_are_being_accepted(turns: int) -> None:
    async with _serving(Gate()) as (server, port):
        with socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS) as own:
            await until(lambda: bool(server._accepting or server._connections))
            for _ in range(turns):
                await asyncio.sleep(0)
            await server.close_all_connections()
            server.stop()
            assert not server._accepting
            assert own.recv(1) == b""


@pytest.mark.parametrize("turns", range(1, 7))
@on_both_loops
async def test_closing_all_connections_takes_those_that_the_kernel_has_just_made(
    turns: int,
) -> None:
    async with _serving(Gate()) as (server, port):
        with socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS):
            for _ in range(turns):
                await asyncio.sleep(0)
            server.stop()
            await server.close_all_connections()
            assert server.statistics.connections == 0
