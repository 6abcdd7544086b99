"""A program that could not start for long runs by itself when what was broken is repaired."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from node_faults import wait_for
from nodes import Node
from processes import processes_in
from service import untraced_environment

from app.node.creation import Plan, environment_of_programs, lay_out
from app.node.layout import Layout
from app.node.nginx import Ports
from app.node.rolling import is_ready
from app.node.supervisor import Supervisor

BROKEN = "nonsense\n"
"""Which none of the programs understands."""

SPEED = 20
MANY_STARTS = 14
"""Supervisord's own patience is four; eleven are those of a minute."""

HURRIED = f"""
import time
begun, now = time.time(), time.time
time.time = lambda: begun + {SPEED} * (now() - begun)
from supervisor.supervisord import main
main()
"""
"""Supervisord on a clock that goes faster, so that its pauses are shorter."""


@pytest.fixture
def layout(tmp_path: Path, mongo_uri: str) -> Iterator[Layout]:
    """Start all programs of a node, each with a configuration that is broken."""
    node = Node.choose(tmp_path)
    layout = Layout(tmp_path / "node")
    layout.folder.mkdir()
    plan = Plan(
        processes=1,
        nginx=Ports(node.port, node.tls_port, node.redirect_port),
        first_port=node.first_port,
        first_mongo_port=node.first_mongo_port,
        given_mongo_uri=mongo_uri,
    )
    lay_out(layout, plan)
    for file in layout.programs.iterdir():
        file.write_text(re.sub(r"(?m)^startsecs = (\d+)", in_a_hurry, file.read_text()))
    for file in configurations(layout):
        file.write_text(file.read_text() + BROKEN)
    supervisord = subprocess.Popen(
        [sys.executable, "-c", HURRIED, "--nodaemon", "-c", str(layout.supervisord)],
        env=environment_of_programs(untraced_environment(), plan),
        stdout=subprocess.DEVNULL,
    )
    try:
        yield layout
    finally:
        supervisord.terminate()
        supervisord.wait(60)
        assert processes_in(layout.folder) == []


def in_a_hurry(startsecs: re.Match[str]) -> str:
    # It shall not take a start that fails at once for one that went well.
    return f"startsecs = {SPEED * int(startsecs[1])}"


def configurations(layout: Layout) -> list[Path]:
    return [layout.settings, layout.conf / "redis.conf", layout.conf / "nginx/nginx.conf"]


def test_every_program_runs_again_once_its_configuration_is_repaired(layout: Layout) -> None:
    # What may be broken of a member of MongoDB: test_members.py.
    supervisor = Supervisor(layout.socket)
    wait_for(lambda: supervisor.is_running, "supervisord answers")
    names = [process.name for process in supervisor.processes()]
    log = layout.log / "supervisord.log"

    def tried_often() -> bool:
        assert "FATAL" not in {process.state for process in supervisor.processes()}
        told = log.read_text()
        return all(told.count(f"spawned: '{name}'") >= MANY_STARTS for name in names)

    wait_for(tried_often, "all were tried often")
    for file in configurations(layout):
        file.write_text(file.read_text().removesuffix(BROKEN))
    wait_for(
        lambda: {process.state for process in supervisor.processes()} == {"RUNNING"}, "all run"
    )
    wait_for(lambda: is_ready(layout.ports[0]), "the service is ready")
    assert len(names) == 3
