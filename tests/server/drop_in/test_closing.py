"""Clients that leave: who is told, and who is still answered."""

import os
import ssl
from collections.abc import Callable

from http_client import Client, request
from http_serving import (
    Echo,
    Gate,
    Gated,
    Hello,
    on_both_loops,
    pass_time,
    serving,
    turn_loop,
    until,
)
from tornado.web import Application


def _application(gate: Gate) -> Application:
    return Application([
        ("/", Hello), ("/echo", Echo), (r"/gated/?(\w*)", Gated, {"gate": gate}),
    ])  # fmt: skip


@on_both_loops
async def test_a_waiting_handler_is_told_once_that_its_client_closed() -> None:
    gate = Gate()
    async with serving(_application(gate)) as (server, port):
        async with await Client.connect(port) as client:
            client.send(request("/gated/one"))
            await until(lambda: bool(gate.began))
        await until(lambda: bool(gate.lost))
        gate.open.set()
        await until(lambda: not server.statistics.connections)
    assert gate.lost == ["one"]


@on_both_loops
async def test_a_waiting_handler_is_told_once_that_its_client_vanished() -> None:
    gate = Gate()
    async with serving(_application(gate)) as (server, port):
        async with await Client.connect(port) as client:
            client.send(request("/gated/one"))
            await until(lambda: bool(gate.began))
            client.reset()
            await until(lambda: not server.statistics.connections)
        assert gate.lost == ["one"]
        gate.open.set()


@on_both_loops
async def test_a_waiting_handler_is_told_over_tls(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    gate = Gate()
    async with serving(_application(gate), ssl_options=server_tls) as (server, port):
        async with await Client.connect(port, tls=client_tls) as client:
            client.send(request("/gated/one"))
            await until(lambda: bool(gate.began))
        await until(lambda: not server.statistics.connections)
        gate.open.set()
    assert gate.lost == ["one"]


@on_both_loops
async def test_a_handler_that_has_answered_is_not_told() -> None:
    gate = Gate()
    gate.open.set()
    async with serving(_application(gate)) as (server, port):
        async with await Client.connect(port) as client:
            await client.call(request("/gated/one"))
        await until(lambda: not server.statistics.connections)
    assert not gate.lost


@on_both_loops
async def test_a_half_closed_client_gets_its_answer() -> None:
    gate = Gate()
    async with serving(_application(gate)) as (_, port), await Client.connect(port) as client:
        client.send(request("/gated/one"))
        await until(lambda: bool(gate.began))
        client.half_close()
        await until(lambda: bool(gate.lost))
        gate.open.set()
        assert (await client.receive()).body == b"gated one"
        assert await client.rest() == b""


@on_both_loops
async def test_a_half_closed_client_gets_all_its_pipelined_answers() -> None:
    async with (
        serving(_application(Gate())) as (_, port),
        await Client.connect(port) as client,
    ):
        client.send(request("/echo", method="POST", body=b"first") + request("/") * 40)
        client.half_close()
        bodies = [(await client.receive()).body for _ in range(41)]
        assert bodies == [b"first", *[b"hello"] * 40]
        assert await client.rest() == b""


@on_both_loops
async def test_an_incomplete_request_of_a_half_closed_client_is_not_answered() -> None:
    async with serving(_application(Gate())) as (_, port), await Client.connect(port) as client:
        client.send(request("/echo", method="POST", body=b"first")[:-1])
        client.half_close()
        assert await client.rest() == b""


@on_both_loops
async def test_an_idle_connection_is_closed_when_its_client_closes() -> None:
    async with serving(_application(Gate())) as (server, port):
        async with await Client.connect(port) as client:
            await client.call(request("/"))
        await until(lambda: not server.statistics.connections)


@on_both_loops
async def test_an_idle_connection_is_closed_in_time() -> None:
    async with (
        serving(_application(Gate())) as (server, port),
        await Client.connect(port) as client,
    ):
        await client.call(request("/"))
        pass_time(server, server.options.idle_seconds - 2.0)
        assert (await client.call(request("/"))).status == 200
        pass_time(server, server.options.idle_seconds + 1.0)
        assert await client.rest(why="it is idle") == b""


@on_both_loops
async def test_a_request_that_has_arrived_by_the_idle_time_is_answered() -> None:
    async with (
        serving(_application(Gate())) as (server, port),
        await Client.connect(port) as client,
    ):
        await client.call(request("/"))
        # Without giving the loop a turn: the kernel has it, and the server has not read it.
        os.write(client.writer.get_extra_info("socket").fileno(), request("/"))
        pass_time(server, server.options.idle_seconds + 1.0)
        assert (await client.receive()).status == 200


@on_both_loops
async def test_a_handler_may_wait_longer_than_an_idle_connection() -> None:
    gate = Gate()
    async with serving(_application(gate)) as (server, port), await Client.connect(port) as client:
        client.send(request("/gated/one"))
        await until(lambda: bool(gate.began))
        pass_time(server, 3600.0)
        await turn_loop()
        gate.open.set()
        assert (await client.receive()).status == 200


@on_both_loops
async def test_a_handler_that_fails_is_answered_500_and_the_connection_goes_on(
    expect_log: Callable[[str], None],
) -> None:
    class Failing(Hello):
        def get(self) -> None:
            raise ZeroDivisionError

    expect_log("ZeroDivisionError")
    expect_log("500 GET")
    application = Application([("/", Hello), ("/failing", Failing)])
    async with serving(application) as (_, port), await Client.connect(port) as client:
        assert (await client.call(request("/failing"))).status == 500
        assert (await client.call(request("/"))).status == 200


@on_both_loops
async def test_a_request_whose_client_left_before_its_turn_is_not_begun() -> None:
    gate = Gate()
    async with serving(_application(gate)) as (server, port):
        async with await Client.connect(port) as client:
            client.send(request("/gated/one") + request("/gated/two"))
            await until(lambda: bool(gate.began))
            client.reset()
            await until(lambda: not server.statistics.connections)
        gate.open.set()
        await turn_loop()
    assert gate.began == ["one"]
