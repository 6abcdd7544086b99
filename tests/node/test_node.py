"""A node: one command starts it, and what it keeps alive stays alive."""

import json
import socket
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
from nodes import Node
from processes import processes_in
from service import ROOT

from app.node.layout import Layout
from app.node.rolling import wait_until_ready
from app.node.supervisor import Supervisor


def add(node: Node, content: str) -> str:
    """Add a todo through nginx and return its id."""
    body = json.dumps({"content": content}).encode()
    headers = {"Content-Type": "application/json"}
    address = f"http://127.0.0.1:{node.port}/v1/todos"
    with urllib.request.urlopen(urllib.request.Request(address, body, headers)) as answer:
        todo_id: str = json.load(answer)["id"]
    return todo_id


def read(node: Node, todo_id: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{node.port}/v1/todos/{todo_id}") as answer:
        content: str = json.load(answer)["content"]
    return content


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def service_pid(node: Node, port: int) -> int:
    return Supervisor(Layout(node.folder).socket).process(f"todo-{port}").pid


def test_status_shows_every_process_and_that_those_of_the_service_are_ready(node: Node) -> None:
    lines = node.run("status").stdout.splitlines()
    running = {line.split()[0] for line in lines if line.split()[1] == "RUNNING"}
    members = {f"mongod-{node.first_mongo_port + number}" for number in range(3)}
    assert running == {"nginx", "redis", *members, *(f"todo-{port}" for port in node.ports)}
    ready = [line.split()[0] for line in lines if line.split()[2] == "ready"]
    assert ready == [f"todo-{port}" for port in node.ports]


def test_status_shows_what_each_member_of_mongodb_is(node: Node) -> None:
    lines = [line.split() for line in node.run("status").stdout.splitlines()]
    told = [word for name, _, word, *_ in lines if name.startswith("mongod-")]
    assert sorted(told) == ["primary", "secondary", "secondary"]


def test_what_is_added_through_nginx_is_read_through_it(node: Node) -> None:
    assert read(node, add(node, "buy milk")) == "buy milk"


def test_nobody_else_can_look_into_the_node_or_open_supervisors_socket(node: Node) -> None:
    layout = Layout(node.folder)
    assert mode(layout.socket) == 0o700
    assert {mode(folder) for folder in (node.folder, layout.log, layout.run, layout.conf)} == {
        0o700
    }


def test_the_service_listens_for_this_machine_only(node: Node) -> None:
    listening = {
        connection.laddr.ip
        for process in processes_in(node.folder)
        if process.name() != "nginx"
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_a_process_that_is_killed_comes_back(node: Node) -> None:
    port = node.ports[0]
    killed = psutil.Process(service_pid(node, port))
    killed.kill()
    killed.wait(5)
    supervisor = Supervisor(Layout(node.folder).socket)
    wait_until_ready(supervisor, port, logged={})
    assert service_pid(node, port) != killed.pid


def test_logs_shows_all_logs_and_what_is_added(node: Node) -> None:
    command = [sys.executable, "run.py", "logs", f"--node={node.folder}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        try:
            # The service's own come first.
            assert f"todo-{node.ports[0]}.log" in following.stdout.readline()
            wanted = {f"todo-{node.ports[1]}.log", "nginx.log", "redis.log", "supervisord.log"}
            for line in following.stdout:
                wanted = {name for name in wanted if name not in line}
                if not wanted:
                    break
            todo_id = add(node, "seen in the logs")
            read(node, todo_id)
            assert any(todo_id in line for line in following.stdout)
        finally:
            following.kill()


def test_up_says_that_a_node_runs_already_and_leaves_it_alone(node: Node) -> None:
    pids = [service_pid(node, port) for port in node.ports]
    finished = node.run("up", check=False)
    assert finished.returncode == 1
    assert "runs already" in finished.stderr
    assert [service_pid(node, port) for port in node.ports] == pids


def test_up_names_a_port_that_is_taken(node: Node, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        another = Node(tmp_path, node.port, *(port,) * 4)
        finished = another.run("up", f"--port={port}", check=False)
    assert finished.returncode == 1
    assert f"port {port} cannot be used" in finished.stderr
    assert not (tmp_path / "conf").exists()


def test_a_command_for_a_node_that_does_not_run_says_so(tmp_path: Path, node: Node) -> None:
    another = Node(tmp_path, *(node.port,) * 5)
    for command in (["status"], ["restart"], ["scale", "3"], ["down"]):
        finished = another.run(*command, check=False)
        assert finished.returncode == 1
        assert finished.stderr.startswith("run.py: no ")


def test_what_was_stored_is_there_after_down_and_up(node: Node) -> None:
    todo_id = add(node, "survive")
    certificate = Layout(node.folder).conf / "nginx/certificate.pem"
    made = certificate.read_bytes()
    node.run("down")
    assert processes_in(node.folder) == []
    node.up(is_traced=True)
    assert certificate.read_bytes() == made
    assert read(node, todo_id) == "survive"
