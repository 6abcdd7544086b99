"""Accepting at the limits: of connections, and of file descriptors."""

import asyncio
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from http_client import Client, request
from http_serving import Hello, on_both_loops, serving, turn_loop, until
from starving_server import DESCRIPTORS
from tornado.web import Application

from app.httpserver import Options

ROOT = Path(__file__).parents[3]
DEADLINE_SECONDS = 120.0
WATCHED_SECONDS = 1.5
"""In which a busy loop would log and compute: three of the listener's pauses."""


@on_both_loops
async def test_connections_above_the_limit_wait_until_one_is_closed() -> None:
    options = Options(max_connections=2)
    application = Application([("/", Hello)])
    async with (
        serving(application, options=options) as (server, port),
        await Client.connect(port) as first,
        await Client.connect(port) as second,
        await Client.connect(port) as third,
    ):
        third.send(request("/"))
        for client in (first, second) * 2:
            assert (await client.call(request("/"))).status == 200
        await turn_loop()
        assert (server.statistics.accepted, server.statistics.connections) == (2, 2)
        await first.close()
        assert (await third.receive()).body == b"hello"
        assert server.statistics.accepted == 3


@on_both_loops
async def test_the_limit_of_connections_is_never_passed() -> None:
    options = Options(max_connections=5)
    async with serving(Application([("/", Hello)]), options=options) as (server, port):
        most = 0
        clients = [await Client.connect(port) for _ in range(50)]
        for client in clients:
            client.send(request("/", "Connection: close"))
        for client in clients:
            async with client:
                assert (await client.receive()).status == 200
                most = max(most, server.statistics.connections)
        await until(lambda: server.statistics.accepted == 50)
        assert most <= 5


@on_both_loops
async def test_8_connections_are_accepted_in_a_turn_of_the_loop() -> None:
    async with serving(Application([("/", Hello)])) as (server, port):
        accepted = [0]
        with ExitStack() as clients:
            for _ in range(50):
                clients.enter_context(socket.create_connection(("127.0.0.1", port)))
            while accepted[-1] < 50:
                await asyncio.sleep(0)
                accepted.append(server.statistics.accepted)
    assert max(later - earlier for earlier, later in pairwise(accepted)) == 8


@pytest.fixture
def starving() -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen(
        [sys.executable, "tests/starving_server.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()
            process.wait(DEADLINE_SECONDS)


def test_a_server_without_descriptors_warns_once_waits_and_recovers(
    starving: tuple[subprocess.Popen[str], int],
) -> None:
    process, port = starving
    assert process.stderr is not None
    with ExitStack() as open_clients:
        clients = [
            open_clients.enter_context(
                socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS)
            )
            for _ in range(DESCRIPTORS * 2)
        ]
        for client in clients:
            client.settimeout(DEADLINE_SECONDS)
            client.sendall(request("/"))
        assert clients[0].recv(12) == b"HTTP/1.1 200"
        assert "cannot accept connections" in process.stderr.readline()
        before = sum(psutil.Process(process.pid).cpu_times()[:2])
        warned_again, _, _ = select.select([process.stderr], [], [], WATCHED_SECONDS)
        computed = sum(psutil.Process(process.pid).cpu_times()[:2]) - before
        assert not warned_again
        assert computed < WATCHED_SECONDS / 4
        for client in clients[: DESCRIPTORS + 5]:
            client.close()
        assert [client.recv(12) for client in clients[DESCRIPTORS + 5 :]] == [b"HTTP/1.1 200"] * (
            DESCRIPTORS - 5
        )
