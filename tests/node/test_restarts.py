"""Restarts that nobody notices, and releases that do not start."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from node_events import reload_nginx, restart, scale
from nodes import Node
from steady_load import SteadyLoad, Tally

from app.node.layout import Layout
from app.node.supervisor import Supervisor

pytestmark = pytest.mark.gen_test

PER_SECOND = 100.0
"""As much as leaves the tests' machine air; `make restarts` has 400."""


async def under_load(node: Node, *events: Callable[[Node], object]) -> Tally:
    """Let things happen to a node while it is loaded."""
    load = SteadyLoad(node.port, per_second=PER_SECOND)
    async with load.running() as tally:
        for event in events:
            await asyncio.to_thread(event, node)
    assert await load.check_added() == []
    return tally


def settings(node: Node) -> Path:
    return Layout(node.folder).conf / "todo.conf"


async def test_no_request_fails_while_all_processes_are_restarted(node: Node) -> None:
    tally = await under_load(node, restart)
    assert tally.failures == []
    assert tally.sent > 100


async def test_no_request_fails_while_nginx_is_reloaded(node: Node) -> None:
    tally = await under_load(node, *[reload_nginx] * 5)
    assert tally.failures == []


async def test_no_request_fails_while_processes_are_added_and_removed(node: Node) -> None:
    tally = await under_load(node, lambda node: scale(node, 3), lambda node: scale(node, 2))
    assert tally.failures == []
    assert Layout(node.folder).ports == list(node.ports)


async def test_lines_for_processes_of_another_node_stay_when_the_number_changes(
    node: Node,
) -> None:
    file = Layout(node.folder).conf / "nginx/upstream.conf"
    good = file.read_text()
    *_, last = re.findall(r"^    server .* max_fails=2 .*\n", good, re.MULTILINE)
    nobodys = node.first_mongo_port + 4
    own, near, far = (f"127.0.0.1:{node.ports[-1]}", f"127.0.0.1:{nobodys}", "192.0.2.1:8001")
    others = last.replace(own, near) + last.replace(own, far) + f"    server {near} backup;\n"
    edited = good.replace(last, last + others)
    file.write_text(edited)
    try:
        await asyncio.to_thread(scale, node, 3)
        assert others in file.read_text()
        await asyncio.to_thread(scale, node, 2)
        assert file.read_text() == edited
    finally:
        file.write_text(good)
        reload_nginx(node)


async def test_a_release_that_does_not_start_stops_one_process_and_says_why(node: Node) -> None:
    good = settings(node).read_text()
    settings(node).write_text(f"{good}\nno_such_setting = 1\n")

    def fail(node: Node) -> None:
        finished = node.run("restart", check=False)
        assert finished.returncode == 1
        assert f"{node.ports[0]} does not come up" in finished.stderr
        assert "no_such_setting" in finished.stderr

    tally = await under_load(node, fail)
    assert tally.failures == []
    settings(node).write_text(good)
    await asyncio.to_thread(restart, node)
    assert "NOT READY" not in node.run("status").stdout


async def test_a_new_process_that_does_not_start_is_removed_again(node: Node) -> None:
    good = settings(node).read_text()
    settings(node).write_text(f"{good}\nno_such_setting = 1\n")
    finished = await asyncio.to_thread(node.run, "scale", "3", check=False)
    settings(node).write_text(good)
    assert finished.returncode == 1
    assert "no_such_setting" in finished.stderr
    assert Layout(node.folder).ports == list(node.ports)
    node.run("status")


async def test_a_restart_goes_on_only_when_the_process_before_is_ready(node: Node) -> None:
    supervisor = Supervisor(Layout(node.folder).socket)
    second = f"todo-{node.ports[1]}"
    pid = supervisor.process(second).pid
    finished = await asyncio.to_thread(node.run, "restart", "--ready-seconds=0.001", check=False)
    assert finished.returncode == 1
    assert f"{node.ports[0]} is not ready" in finished.stderr
    assert "/readyz does not answer" in finished.stderr
    assert supervisor.process(second).pid == pid
    await asyncio.to_thread(restart, node)


async def test_a_restart_shows_no_line_that_the_process_before_has_logged(node: Node) -> None:
    finished = await asyncio.to_thread(node.run, "restart", "--ready-seconds=0.001", check=False)
    said_at_its_end = "stopping: no new connections"
    assert said_at_its_end in (Layout(node.folder).log / f"todo-{node.ports[0]}.log").read_text()
    assert finished.returncode == 1
    assert said_at_its_end not in finished.stderr
    await asyncio.to_thread(restart, node)


async def test_scale_shows_no_line_of_an_earlier_process_on_the_port(node: Node) -> None:
    (Layout(node.folder).log / f"todo-{node.ports[-1] + 1}.log").write_text("said last year\n")
    good = settings(node).read_text()
    settings(node).write_text(f"{good}\nno_such_setting = 1\n")
    finished = await asyncio.to_thread(node.run, "scale", "3", check=False)
    settings(node).write_text(good)
    assert "no_such_setting" in finished.stderr
    assert "said last year" not in finished.stderr


async def test_a_restart_brings_processes_back_of_which_none_was_ready(node: Node) -> None:
    supervisor = Supervisor(Layout(node.folder).socket)
    for port in node.ports:
        supervisor.stop(f"todo-{port}")
    await asyncio.to_thread(restart, node)
    assert "NOT READY" not in node.run("status").stdout


async def test_a_restart_does_not_stop_the_only_process_that_is_ready(node: Node) -> None:
    first, second = (
        Supervisor(Layout(node.folder).socket).process(f"todo-{port}").pid for port in node.ports
    )
    psutil.Process(second).suspend()
    try:
        finished = await asyncio.to_thread(node.run, "restart", check=False)
    finally:
        psutil.Process(second).resume()
    assert finished.returncode == 1
    assert "no other process is ready" in finished.stderr
    assert psutil.pid_exists(first)
