"""What a node does when something in it, or somebody, goes wrong."""

import asyncio
import os
import signal
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import pytest
from node_events import restart
from node_faults import Patient, wait_for
from nodes import Node
from own_database import own_database
from processes import processes_in
from service import ROOT, environment

from app.cli import main
from app.embedded import EmbeddedServers
from app.node.creation import Plan, environment_of_programs
from app.node.layout import Layout
from app.node.nginx import Ports
from app.node.rolling import is_ready
from app.node.supervisor import Supervisor

pytestmark = pytest.mark.gen_test

MakeNode = Callable[..., AbstractContextManager[Node]]


@pytest.fixture(scope="module")
def elsewhere(servers: EmbeddedServers) -> Iterator[tuple[str, ...]]:
    """Flags of a node whose MongoDB and Redis are elsewhere."""
    with own_database(servers.mongo_uri) as uri:
        yield f"--mongo-uri={uri}", f"--redis-url={servers.redis_url}"


@pytest.fixture(scope="module")
def small_node(make_node: MakeNode, elsewhere: tuple[str, ...]) -> Iterator[Node]:
    with make_node(*elsewhere) as node:
        yield node


def supervisor_of(node: Node) -> Supervisor:
    return Supervisor(Layout(node.folder).socket)


def answers(node: Node) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{node.port}/todo", timeout=60) as answer:
            return answer.status == 200
    except OSError:
        return False


@contextmanager
def edited(file: Path, text: str) -> Iterator[None]:
    """Add to a file for as long as the block lasts."""
    before = file.read_text()
    file.write_text(before + text)
    try:
        yield
    finally:
        file.write_text(before)


@contextmanager
def taken_up_with(node: Node, name: str, options: str) -> Iterator[None]:
    """Have supervisord take a program up with other options for as long as the block lasts."""
    supervisor = supervisor_of(node)

    def take_up() -> None:
        if not supervisor.process(name).is_stopped:
            supervisor.stop(name)
        supervisor.remove(name)
        supervisor.add(name)

    try:
        with edited(Layout(node.folder).programs / f"{name}.conf", options):
            take_up()
            yield
    finally:
        take_up()


# --- Programs that are killed


async def test_nginx_comes_back_when_its_master_is_killed_and_its_workers_go_on(
    node: Node,
) -> None:
    supervisor = supervisor_of(node)
    master = psutil.Process(supervisor.process("nginx").pid)
    workers = master.children()
    master.kill()
    wait_for(lambda: supervisor.process("nginx").pid not in (0, master.pid), "nginx is started")
    wait_for(lambda: supervisor.process("nginx").state == "RUNNING", "nginx runs")
    assert {worker.pid for worker in workers}.isdisjoint(Layout(node.folder).pids())
    assert answers(node)


@pytest.mark.parametrize("name", ["redis", "mongod"])
async def test_a_server_that_is_killed_comes_back(node: Node, name: str) -> None:
    supervisor = supervisor_of(node)
    program = name if name == "redis" else f"mongod-{node.first_mongo_port}"
    killed = psutil.Process(supervisor.process(program).pid)
    killed.kill()
    killed.wait(5)
    wait_for(lambda: supervisor.process(program).state == "RUNNING", f"{program} runs")
    wait_for(lambda: answers(node), "the node answers")
    Patient(node).wait_until_well()


async def test_what_a_killed_supervisord_leaves_is_ended_by_down(small_node: Node) -> None:
    pid_file = Layout(small_node.folder).run / "supervisord.pid"
    supervisord = psutil.Process(int(pid_file.read_text()))
    supervisord.kill()
    supervisord.wait(5)
    finished = small_node.run("up", check=False)
    assert finished.returncode == 1
    assert "run.py down ends" in finished.stderr
    small_node.run("down")
    assert processes_in(small_node.folder) == []


async def test_a_supervisord_that_stands_still_is_waited_for_some_seconds_and_named(
    node: Node,
) -> None:
    pid = int((Layout(node.folder).run / "supervisord.pid").read_text())
    psutil.Process(pid).suspend()
    try:
        for command in ("status", "restart", "down", "up"):
            finished = await asyncio.to_thread(node.run, command, check=False)
            assert finished.returncode == 1
            assert "does not answer: it was waited for 10 s" in finished.stderr
    finally:
        psutil.Process(pid).resume()
    # Not even `down` has ended programs that supervisord would start again.
    assert node.run("status").returncode == 0


# --- Restarts and changes of the number that cannot be


async def test_a_process_that_ends_soon_after_it_was_ready_stops_the_restart(node: Node) -> None:
    Patient(node).wait_until_well()
    supervisor = supervisor_of(node)
    first, second = (f"todo-{port}" for port in node.ports)
    untouched = supervisor.process(second).pid

    async def kill_when_ready() -> None:
        await asyncio.to_thread(wait_for, lambda: is_ready(node.ports[0]), "it is ready")
        psutil.Process(supervisor.process(first).pid).kill()

    # However long it takes to be ready, it ends soon after it, and stays ended.
    with taken_up_with(node, first, "autostart = false\nstartsecs = 600\nstartretries = 0\n"):
        killing = asyncio.create_task(kill_when_ready())
        finished = await asyncio.to_thread(node.run, "restart", check=False)
        await killing
    assert finished.returncode == 1
    assert f"{node.ports[0]} does not come up" in finished.stderr
    assert supervisor.process(second).pid == untouched
    wait_for(lambda: is_ready(node.ports[0]), "it is ready")


async def test_a_restart_that_is_interrupted_leaves_no_process_stopped(node: Node) -> None:
    supervisor = supervisor_of(node)
    name = f"todo-{node.ports[0]}"
    before = supervisor.process(name).pid
    restarting = await asyncio.create_subprocess_exec(
        *(sys.executable, "run.py", "restart", f"--node={node.folder}"),
        cwd=ROOT,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    assert restarting.stdout is not None
    assert b"restarting" in await restarting.stdout.readline()
    wait_for(lambda: not is_ready(node.ports[0]), "it has been told to end")
    restarting.send_signal(signal.SIGINT)
    assert await restarting.wait() == 130
    wait_for(lambda: supervisor.process(name).pid not in (0, before), f"{name} is started again")
    wait_for(lambda: supervisor.process(name).state == "RUNNING", f"{name} runs")


async def test_one_command_at_a_time(node: Node) -> None:
    with Layout(node.folder).locked():
        for command in (["restart"], ["scale", "3"], ["down"]):
            finished = node.run(*command, check=False)
            assert finished.returncode == 1
            assert "another command works on the node" in finished.stderr


async def test_a_port_that_another_program_has_is_not_taken_for_a_new_process(node: Node) -> None:
    port = node.ports[-1] + 1
    with socket.create_server(("127.0.0.1", port)):
        finished = node.run("scale", "3", check=False)
    assert finished.returncode == 1
    assert f"port {port} cannot be used" in finished.stderr
    assert Layout(node.folder).ports == list(node.ports)
    node.run("status")


async def test_the_only_process_that_is_ready_is_not_removed(node: Node) -> None:
    supervisor = supervisor_of(node)
    supervisor.stop(f"todo-{node.ports[0]}")
    node.run("scale", "1")
    assert answers(node)
    node.run("status")
    node.run("scale", "2")


async def test_nobody_is_stopped_where_nginx_would_not_understand_its_list(node: Node) -> None:
    with edited(Layout(node.folder).conf / "nginx/limits.conf", "nonsense;\n"):
        finished = node.run("scale", "1", check=False)
    assert finished.returncode == 1
    assert "nginx does not understand its configuration" in finished.stderr
    assert "nonsense" in finished.stderr
    assert Layout(node.folder).ports == list(node.ports)
    node.run("status")


async def test_status_does_not_take_another_programs_answer_for_a_process(node: Node) -> None:
    supervisor = supervisor_of(node)
    supervisor.stop(f"todo-{node.ports[0]}")
    finished = node.run("status", check=False)
    assert finished.returncode == 1
    assert f"todo-{node.ports[0]}" in finished.stdout
    await asyncio.to_thread(restart, node)


# --- Nodes that cannot be made


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--first-port=65535"], "--first-port + 1: there is no port 65536"),
        (["--tls-port=29999", "--redirect-port=29999"], "--tls-port and --redirect-port are both"),
        (["--first-port=8001", "--first-mongo-port=8002"], "are both port 8002"),
    ],
)
async def test_ports_that_cannot_be_are_named(
    tmp_path: Path, flags: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up", f"--node={tmp_path / 'n'}", *flags]) == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("address", ["none", "embedded", ""])
async def test_processes_that_would_not_share_their_servers_are_refused(
    tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for flag in ("--redis-url", "--mongo-uri"):
        assert main(["up", f"--node={tmp_path}", f"{flag}={address}"]) == 2
        assert "that all processes share" in capsys.readouterr().err


async def test_settings_of_the_environment_do_not_reach_the_processes() -> None:
    plan = Plan(processes=2, nginx=Ports(1, 2, 3), first_port=4, first_mongo_port=6)
    inherited = environment_of_programs({**environment(), "TODO_REDIS_URL": "none"}, plan)
    assert "TODO_REDIS_URL" not in inherited
    assert inherited["HOME"] == os.environ["HOME"]


@pytest.mark.parametrize("name", ["100%", "[a]", "what?"])
async def test_a_folder_that_supervisord_would_misread_is_refused(
    tmp_path: Path, name: str
) -> None:
    node = Node(tmp_path / name, *Node.choose(tmp_path).all_ports)
    finished = await asyncio.to_thread(node.up, check=False)
    assert finished.returncode == 1
    assert "supervisord cannot work in a folder with" in finished.stderr


async def test_a_configuration_that_somebody_else_wrote_is_left_alone(tmp_path: Path) -> None:
    node = Node(tmp_path, *Node.choose(tmp_path).all_ports)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/todo.conf").write_text("mongo_uri = mongodb://db.example/todo\n")
    finished = await asyncio.to_thread(node.up, check=False)
    assert finished.returncode == 1
    assert "is not run.py up's" in finished.stderr
    assert [file.name for file in (tmp_path / "conf").iterdir()] == ["todo.conf"]


async def test_nothing_goes_on_running_where_up_has_failed(
    small_node: Node, elsewhere: tuple[str, ...]
) -> None:
    small_node.run("down", check=False)
    certificate = Layout(small_node.folder).conf / "nginx/certificate.pem"
    certificate.write_text("broken")
    (Layout(small_node.folder).log / "nginx.log").write_text("said by an earlier one\n")
    finished = small_node.up(*elsewhere, check=False, is_traced=True)
    assert finished.returncode == 1
    assert "nginx does not come up" in finished.stderr
    assert "said by an earlier one" not in finished.stderr
    assert processes_in(small_node.folder) == []
