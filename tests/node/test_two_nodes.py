"""Two nodes on one MongoDB and one Redis, behind the nginx of one of them."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
from freshness_campaign import Campaign, run_campaign
from freshness_faults import Fault, Troubles
from freshness_stack import RedisProgram
from node_events import reload_nginx
from node_faults import Patient
from nodes import Node

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
    """Kills one thing after the other while clients ask, each when all is well again.

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
            if self._must_stop.wait(2):  # For operations that nothing disturbs.
                return
            start = time.monotonic_ns()
            kill()
            for patient in self._patients:
                patient.wait_until_well()
            self.faults.append(Fault("killed", start, time.monotonic_ns()))


@contextmanager
def two_nodes(make_node: MakeNode, mongo_uri: str, redis_url: str) -> Iterator[tuple[Node, Node]]:
    """Run two nodes; the nginx of the first sends requests to both."""
    with ExitStack() as held:
        flags = (f"--mongo-uri={mongo_uri}", f"--redis-url={redis_url}")
        one, another = (held.enter_context(make_node(*flags)) for _ in range(2))
        write_upstream(Layout(one.folder).conf / "nginx", [*one.ports, *another.ports])
        reload_nginx(one)
        yield one, another


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisProgram]:
    """A Redis of the test's own, which it may kill."""
    redis = RedisProgram(tmp_path)
    redis.start()
    redis.wait()
    yield redis
    redis.stop()


def has_served_lists(port: int) -> bool:
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return 'http_route="/todo"' in answer.read().decode()


def test_nobody_reads_what_is_stale_from_whichever_node(
    make_node: MakeNode, mongo_uri: str, redis_url: str, tmp_path: Path
) -> None:
    with two_nodes(make_node, mongo_uri, redis_url) as (one, another):
        campaign = Campaign(seconds=8, clients=1, connections=8, operations=3000)
        report = run_campaign(campaign, Front([one.port], mongo_uri, tmp_path))
        assert report.is_right, report.verdict.violations
        assert report.progress.errors == {}
        assert all(map(has_served_lists, [*one.ports, *another.ports]))


def test_nobody_reads_what_is_stale_when_a_process_of_one_node_and_redis_are_killed(
    make_node: MakeNode, mongo_uri: str, redis: RedisProgram, tmp_path: Path
) -> None:
    with two_nodes(make_node, mongo_uri, redis.url) as (one, another):
        patients = [Patient(node, mongo_uri) for node in (one, another)]

        def kill_a_process() -> None:
            patients[1].kill(patients[1].services[0])

        def kill_redis() -> None:
            redis.kill()
            redis.start()
            redis.wait()

        kills = Kills(patients, [kill_a_process, kill_redis])
        campaign = Campaign(
            faults=2,
            seconds=15,
            clients=1,
            connections=8,
            operations=3000,
            deletes_are_repeated=True,  # See docs/nginx.md, "Retries".
        )
        report = run_campaign(campaign, Front([one.port], mongo_uri, tmp_path), troubles=kills)
        assert report.is_right, (report.verdict.violations, report.verdict.lost)
        assert all(map(has_served_lists, [*one.ports, *another.ports]))
