"""The members of a node's MongoDB: how they are elected, and what is said where one is not well."""

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from node_faults import Patient, wait_for
from nodes import Node
from processes import processes_in
from pymongo import MongoClient

from app.node.layout import Layout, NodeError
from app.node.replica_set import initiate, roles
from app.node.supervisor import Supervisor

pytestmark = pytest.mark.gen_test


def supervisor_of(node: Node) -> Supervisor:
    return Supervisor(Layout(node.folder).socket)


def ports_of(node: Node) -> list[int]:
    return Layout(node.folder).mongo_ports


def admin(port: int, *command: Any) -> dict[str, Any]:
    uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"
    with MongoClient[dict[str, Any]](uri) as client:
        return client.admin.command(*command)


def words(node: Node) -> dict[str, str]:
    """Return what `run.py status` says of each process, by name."""
    lines = node.run("status", check=False).stdout.splitlines()
    return {line.split()[0]: line[28:39].strip() for line in lines}


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let a process stand still for as long as the block lasts."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def without_data(node: Node, port: int) -> Iterator[None]:
    """Take a member's folder away until the block is left, and kill it."""
    data = node.folder / f"mongo-{port}"
    aside = data.rename(node.folder / "aside")
    os.kill(supervisor_of(node).process(f"mongod-{port}").pid, signal.SIGKILL)
    try:
        yield
    finally:
        aside.rename(data)
        Patient(node).wait_until_well()


@contextmanager
def unusable(lock: Path) -> Iterator[None]:
    """Put a folder where a member that does not run wants its lock."""
    lock.unlink()
    lock.mkdir()
    try:
        yield
    finally:
        lock.rmdir()


def could_add(node: Node) -> bool:
    body = json.dumps({"content": "under a new primary"}).encode()
    headers = {"Content-Type": "application/json"}
    address = f"http://127.0.0.1:{node.port}/v1/todos"
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers)) as answer:
            return answer.status == 201
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return False


# --- Elections


async def test_members_take_one_that_is_silent_for_two_seconds_for_gone(node: Node) -> None:
    for port in ports_of(node):
        settings = admin(port, "replSetGetConfig")["config"]["settings"]
        assert settings["electionTimeoutMillis"] == 2000
        assert settings["heartbeatIntervalMillis"] == 500


async def test_a_new_primary_waits_for_the_others_no_longer_than_two_seconds(node: Node) -> None:
    for port in ports_of(node):
        settings = admin(port, "replSetGetConfig")["config"]["settings"]
        assert settings["heartbeatTimeoutSecs"] == 2
        assert settings["catchUpTimeoutMillis"] == 2000


async def test_members_seldom_stand_for_election_at_once(node: Node) -> None:
    name = "replElectionTimeoutOffsetLimitFraction"
    for port in ports_of(node):
        assert admin(port, {"getParameter": 1, name: 1})[name] == 0.5


async def test_a_member_that_is_told_to_end_leaves_half_a_second_for_an_election(
    node: Node,
) -> None:
    name = "shutdownTimeoutMillisForSignaledShutdown"
    for port in ports_of(node):
        assert admin(port, {"getParameter": 1, name: 1})[name] == 500


async def test_todos_are_added_while_the_primary_stands_still(node: Node) -> None:
    patient = Patient(node)
    patient.wait_until_well()
    old = patient.primary()
    pid = patient.pid(old)
    with stopped(pid):
        wait_for(lambda: could_add(node), "a todo is added")
        assert patient.primary() != old
        assert psutil.Process(pid).status() == psutil.STATUS_STOPPED
    patient.wait_until_well()


# --- Members that are not well


async def test_a_member_that_cannot_start_is_started_again_until_it_can(node: Node) -> None:
    # As when its disk is full, which may last longer than supervisord's patience (BACKOFF, FATAL).
    supervisor = supervisor_of(node)
    port = ports_of(node)[0]
    states, pids = set(), set()

    def has_been_started_often() -> bool:
        process = supervisor.process(f"mongod-{port}")
        states.add(process.state)
        pids.add(process.pid)
        return len(pids) >= 4

    with without_data(node, port):
        wait_for(has_been_started_often, "it is started again and again")
    assert states <= {"RUNNING", "EXITED", "STARTING"}


async def test_status_tells_a_member_that_dies_again_and_again_from_the_others(node: Node) -> None:
    port, *others = ports_of(node)
    with without_data(node, port):
        wait_for(
            lambda: set(roles(others).values()) == {"primary", "secondary"}, "the others are well"
        )
        assert node.run("status", check=False).returncode == 1
        told = words(node)
    assert told[f"mongod-{port}"] == "NOT READY"
    assert {told[f"mongod-{other}"] for other in others} == {"primary", "secondary"}


async def test_status_tells_a_member_that_stands_still_from_the_others(node: Node) -> None:
    port, *others = ports_of(node)
    with stopped(supervisor_of(node).process(f"mongod-{port}").pid):
        assert node.run("status", check=False).returncode == 1
        told = words(node)
    Patient(node).wait_until_well()
    assert told[f"mongod-{port}"] == "NOT READY"
    assert "NOT READY" not in {told[f"mongod-{other}"] for other in others}


async def test_a_member_that_does_not_answer_in_time_is_named_with_its_last_lines(
    node: Node,
) -> None:
    supervisor = supervisor_of(node)
    port = ports_of(node)[1]
    process = supervisor.process(f"mongod-{port}")
    with stopped(process.pid), pytest.raises(NodeError) as caught:
        initiate(supervisor, ports_of(node), logged={}, within=0)
    Patient(node).wait_until_well()
    assert str(caught.value).startswith(f"mongod-{port} does not answer after 0 s\n")
    assert f"{process.log} ends with:" in str(caught.value)


async def test_up_gives_a_member_that_cannot_start_up_soon_and_says_what_it_logged(
    node: Node,
) -> None:
    port = ports_of(node)[1]
    node.run("down")
    with unusable(node.folder / f"mongo-{port}/mongod.lock"):
        finished = node.up(check=False, is_traced=True)
        assert processes_in(node.folder) == []
    assert finished.returncode == 1
    assert (
        f"mongod-{port} does not come up: it was started 4 times, and ended: exit"
        in finished.stderr
    )
    assert f"mongo-{port}/mongod.lock" in finished.stderr
    node.up()
