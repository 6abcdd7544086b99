"""Two nodes on one MongoDB and one Redis, behind the nginx of one of them."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
from freshness_campaign import Campaign, run_campaign
from node_events import reload_nginx
from nodes import Node

from app.node.layout import Layout
from app.node.nginx import write_upstream

pytestmark = pytest.mark.timeout(120)

MakeNode = Callable[..., AbstractContextManager[Node]]


@dataclass(frozen=True)
class Front:
    """Where clients ask."""

    ports: list[int]
    mongo_uri: str
    folder: Path


def has_served_lists(port: int) -> bool:
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return 'http_route="/todo"' in answer.read().decode()


def test_nobody_reads_what_is_stale_from_whichever_node(
    make_node: MakeNode, mongo_uri: str, redis_url: str, tmp_path: Path
) -> None:
    with ExitStack() as held:
        flags = (f"--mongo-uri={mongo_uri}", f"--redis-url={redis_url}")
        one, another = (held.enter_context(make_node(*flags)) for _ in range(2))
        ports = [*one.ports, *another.ports]
        write_upstream(Layout(one.folder).conf / "nginx", ports)
        reload_nginx(one)
        campaign = Campaign(seconds=15, clients=1, connections=8, operations=3000)
        report = run_campaign(campaign, Front([one.port], mongo_uri, tmp_path))
        assert report.is_right, report.verdict.violations
        assert report.progress.errors == {}
        assert all(map(has_served_lists, ports))
