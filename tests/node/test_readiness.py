"""What `status` and `restart` say of processes that run and do not do what they should."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
import redis
from http_serving import until
from node_events import restart
from node_faults import wait_for
from nodes import Node
from steady_load import SteadyLoad

from app.node.layout import Layout
from app.node.rolling import is_ready
from app.node.supervisor import Supervisor

pytestmark = pytest.mark.gen_test

PER_SECOND = 50.0


def supervisor_of(node: Node) -> Supervisor:
    return Supervisor(Layout(node.folder).socket)


def line_of(node: Node, name: str) -> str:
    """Return what a failing status says of a program."""
    finished = node.run("status", check=False)
    assert finished.returncode == 1, finished.stdout
    (line,) = (line for line in finished.stdout.splitlines() if line.startswith(f"{name} "))
    return line


@contextmanager
def halted(*processes: psutil.Process) -> Iterator[None]:
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


@contextmanager
def refusing_writes(node: Node) -> "Iterator[redis.Redis[bytes]]":
    """Let the node's Redis follow another, which is not there."""
    address = f"unix://{Layout(node.folder).run}/redis.sock"
    with redis.Redis.from_url(address) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        try:
            yield client
        finally:
            client.execute_command("REPLICAOF", "NO", "ONE")


# --- Programs that supervisord takes for running


@pytest.mark.parametrize("name", ["redis", "nginx"])
async def test_status_sees_a_program_that_is_halted(node: Node, name: str) -> None:
    with halted(psutil.Process(supervisor_of(node).process(name).pid)):
        line = await asyncio.to_thread(line_of, node, name)
    assert "NOT READY" in line
    assert "halted by a signal" in line


async def test_status_sees_an_nginx_whose_workers_do_not_answer(node: Node) -> None:
    master = psutil.Process(supervisor_of(node).process("nginx").pid)
    with halted(*master.children()):
        line = await asyncio.to_thread(line_of, node, "nginx")
    assert f"does not answer on port {node.port}" in line


# --- A Redis that answers and refuses


async def test_status_says_that_writes_are_refused_and_why(node: Node) -> None:
    with refusing_writes(node):
        line = await asyncio.to_thread(line_of, node, f"todo-{node.ports[0]}")
    assert "NOT READY" in line
    assert "/readyz says 200 warn, redis: " in line
    assert "READONLY" in line


async def test_a_restart_fails_where_writes_are_refused_and_the_others_go_on(node: Node) -> None:
    supervisor = supervisor_of(node)
    first, second = (f"todo-{port}" for port in node.ports)
    untouched = supervisor.process(second).pid
    with refusing_writes(node):
        finished = await asyncio.to_thread(node.run, "restart", "--ready-seconds=5", check=False)
    assert finished.returncode == 1
    assert "/readyz says 200 warn, redis: " in finished.stderr
    assert "READONLY" in finished.stderr
    assert f"{node.ports[0]}: stopped, so nginx sends it nothing" in finished.stderr
    assert supervisor.process(first).state == "STOPPED"
    assert supervisor.process(second).pid == untouched
    await asyncio.to_thread(restart, node)
    assert is_ready(node.ports[0])


# --- A process that is up and not ready


@pytest.fixture
def without_mongodb(node: Node) -> Iterator[None]:
    """Let the second process look for MongoDB where there is none, after its next start."""
    port = node.ports[1]
    file = Layout(node.folder).programs / f"todo-{port}.conf"
    good = file.read_text()
    wrong = 'environment = TODO_MONGO_URI="mongodb://127.0.0.1:1/todo"\n'
    supervisor, name = supervisor_of(node), f"todo-{port}"
    _configure(
        supervisor, name, lambda: file.write_text(good.replace("directory", wrong + "directory", 1))
    )
    yield
    _configure(supervisor, name, lambda: file.write_text(good))


def _configure(supervisor: Supervisor, name: str, change: Callable[[], object]) -> None:
    if not supervisor.process(name).is_stopped:
        supervisor.stop(name)
    supervisor.remove(name)
    change()
    supervisor.add(name)


@pytest.mark.usefixtures("without_mongodb")
async def test_a_process_without_its_database_costs_no_request(node: Node) -> None:
    log = Layout(node.folder).log / f"todo-{node.ports[1]}.log"
    logged = log.stat().st_size
    wait_for(lambda: b"MongoDB does not answer" in log.read_bytes()[logged:], "it looks in vain")
    load = SteadyLoad(node.port, per_second=PER_SECOND)
    async with load.running() as tally:
        await until(lambda: tally.by_status.total() > 100)
    assert tally.failures == []
    assert tally.by_status.keys() == {200, 201}
    assert supervisor_of(node).process(f"todo-{node.ports[1]}").state == "RUNNING"
