"""Two nodes on one MongoDB and one Redis, behind the nginx of one of them."""

import operator
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from freshness_campaign import Campaign, run_campaign
from freshness_faults import Fault, Troubles
from freshness_stack import RedisProgram
from node_events import reload_nginx
from node_faults import Patient, hits
from nodes import Node
from own_database import own_database

from app.embedded import EmbeddedServers
from app.node.layout import Layout
from app.node.nginx import write_upstream

MakeNode = Callable[..., AbstractContextManager[Node]]


@dataclass(frozen=True)
class Front:
    """Where clients ask."""

    ports: list[int]
    mongo_uri: str
    folder: Path


class Kills(Troubles):
    """Kills one thing after the other while clients ask, each when all caches are in use again.

    Args:
        patients: the nodes that have to be well.
        kills: each kills something and sees to it that it is started again.
    """

    def __init__(self, patients: list[Patient], kills: list[Callable[[], object]]) -> None:
        super().__init__()
        self._patients = patients
        self._kills = kills

    def _do_all(self) -> None:
        for kill in self._kills:
            self._wait_until_caches_are_used()
            if self._must_stop.is_set():
                return
            start = time.monotonic_ns()
            kill()
            for patient in self._patients:
                patient.wait_until_well()
            self.faults.append(Fault("killed", start, time.monotonic_ns()))
        self._wait_until_caches_are_used()

    def _wait_until_caches_are_used(self) -> None:
        for patient in self._patients:
            patient.wait_until_caches_are_used()


@pytest.fixture(scope="module")
def database(servers: EmbeddedServers) -> Iterator[str]:
    with own_database(servers.mongo_uri) as uri:
        yield uri


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProgram]:
    """A Redis of these tests' own, which they may kill."""
    redis = RedisProgram(tmp_path_factory.mktemp("redis"))
    redis.start()
    redis.wait()
    yield redis
    redis.stop()


@pytest.fixture(scope="module")
def patients(make_node: MakeNode, database: str, redis: RedisProgram) -> Iterator[list[Patient]]:
    """Run two nodes; the nginx of the first sends requests to both."""
    with ExitStack() as held:
        flags = (f"--mongo-uri={database}", f"--redis-url={redis.url}")
        one, another = (held.enter_context(make_node(*flags)) for _ in range(2))
        write_upstream(Layout(one.folder).conf / "nginx", [*one.ports, *another.ports])
        reload_nginx(one)
        yield [Patient(node, database) for node in (one, another)]


def ports_of(patients: list[Patient]) -> list[int]:
    return [port for patient in patients for port in patient.node.ports]


def test_nobody_reads_what_is_stale_from_whichever_node(
    patients: list[Patient], database: str, tmp_path: Path
) -> None:
    before = list(map(hits, ports_of(patients)))
    campaign = Campaign(seconds=8, clients=1, connections=8, operations=3000)
    report = run_campaign(campaign, Front(patients[0].ports, database, tmp_path))
    assert report.is_right, report.verdict.violations
    assert report.progress.errors == {}
    assert all(map(operator.lt, before, map(hits, ports_of(patients))))


def test_nobody_reads_what_is_stale_when_a_process_of_one_node_and_redis_are_killed(
    patients: list[Patient], database: str, redis: RedisProgram, tmp_path: Path
) -> None:
    one, another = patients
    one.forget_all()

    def kill_a_process() -> None:
        another.kill(another.services[0])

    def kill_redis() -> None:
        redis.kill()
        redis.start()
        redis.wait()

    kills = Kills(patients, [kill_a_process, kill_redis])
    campaign = Campaign(
        faults=2,
        clients=1,
        connections=8,
        operations=3000,
        deletes_are_repeated=True,  # See docs/nginx.md, "Retries".
    )
    report = run_campaign(campaign, Front(one.ports, database, tmp_path), troubles=kills)
    assert report.is_right, (report.verdict.violations, report.verdict.lost)
