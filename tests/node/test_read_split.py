"""On a real replica set: what must be fresh comes from the primary, what may be late does not."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.request import Request, urlopen

import pytest
from node_faults import Patient
from nodes import Node
from pymongo import MongoClient
from service import ROOT, environment

from app.exporting import read_statistics
from app.node.layout import Layout
from app.settings import Settings

TODOS = 25
_NO_PRIMARY_SECONDS = 60
"""Longer than any test: it ends when the members are told that they may stand again."""

Member = MongoClient[dict[str, Any]]


def ask(node: Node, target: str, body: bytes | None = None) -> Any:
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"http://127.0.0.1:{node.port}{target}", body, headers)) as answer:
        return json.load(answer)


def run_on(node: Node, command: str, *flags: str) -> bytes:
    """Run one of the commands that read with the node's own settings; return its output."""
    finished = subprocess.run(
        [sys.executable, "run.py", command, f"--config={Layout(node.folder).settings}", *flags],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def patient(node: Node) -> Patient:
    for number in range(TODOS):
        ask(node, "/v1/todos", json.dumps({"content": f"todo {number}"}).encode())
    return Patient(node)


@pytest.fixture
def members(patient: Patient) -> Iterator[Mapping[str, Member]]:
    with ExitStack() as held:
        members = {}
        for name in patient.members:
            address = f"mongodb://127.0.0.1:{name.removeprefix('mongod-')}/?directConnection=true"
            members[name] = held.enter_context(Member(address))
            # A primary has secondaries do one read in a hundred as well, to warm them.
            members[name].admin.command("setParameter", 1, mirrorReads={"samplingRate": 0.0})
        yield members


def asked_members(members: Mapping[str, Member], read: Callable[[], object]) -> set[str]:
    """Return the members that a reader asks for todos."""
    before = reads_of(members)
    read()
    return {name for name, count in reads_of(members).items() if count > before[name]}


def reads_of(members: Mapping[str, Member]) -> dict[str, int]:
    # https://www.mongodb.com/docs/manual/reference/command/top/
    return {
        name: member.admin.command("top")["totals"]["todo.todos"]["readLock"]["count"]
        for name, member in members.items()
    }


@contextmanager
def without_a_primary(patient: Patient, members: Mapping[str, Member]) -> Iterator[None]:
    """Let nobody stand for election, and the primary step down."""
    primary = patient.primary()
    for name, member in members.items():
        if name != primary:
            member.admin.command("replSetFreeze", _NO_PRIMARY_SECONDS)
    try:
        members[primary].admin.command("replSetStepDown", _NO_PRIMARY_SECONDS, force=True)
        yield
    finally:
        for member in members.values():
            member.admin.command("replSetFreeze", 0)
        patient.wait_until_well()


@pytest.mark.parametrize("command", ["export", "statistics"])
def test_exports_and_statistics_leave_the_primary_alone(
    node: Node, patient: Patient, members: Mapping[str, Member], command: str
) -> None:
    asked = asked_members(members, lambda: run_on(node, command))
    assert asked
    assert patient.primary() not in asked


def test_not_even_a_read_as_soon_as_the_driver_knows_a_member_is_the_primarys(
    patient: Patient, members: Mapping[str, Member]
) -> None:
    def read() -> None:
        for _ in range(20):
            asyncio.run(read_statistics(Settings(), mongo_uri=patient.mongo_uri))

    assert patient.primary() not in asked_members(members, read)


@pytest.mark.parametrize("command", ["export", "statistics"])
def test_a_setting_sends_them_to_the_primary(
    node: Node, patient: Patient, members: Mapping[str, Member], command: str
) -> None:
    asked = asked_members(members, lambda: run_on(node, command, "--mongo-late-reads=primary"))
    assert asked == {patient.primary()}


def test_what_the_service_answers_is_read_from_the_primary(
    node: Node, patient: Patient, members: Mapping[str, Member]
) -> None:
    def read() -> None:
        for limit in range(1, TODOS):  # Of which none is in the cache yet.
            assert len(ask(node, f"/v1/todos?limit={limit}")["items"]) == limit

    assert asked_members(members, read) == {patient.primary()}


def test_exports_and_statistics_need_no_primary(
    node: Node, patient: Patient, members: Mapping[str, Member]
) -> None:
    with without_a_primary(patient, members):
        lines = run_on(node, "export").splitlines()
        statistics = json.loads(run_on(node, "statistics"))
    assert {json.loads(line)["content"] for line in lines} == {f"todo {n}" for n in range(TODOS)}
    assert len(lines) == TODOS
    assert statistics["total"] == statistics["open"] == TODOS
