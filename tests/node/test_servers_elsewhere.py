"""A node whose MongoDB and Redis are elsewhere."""

import json
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from nodes import Node
from pymongo import MongoClient

from app.node.layout import Layout

MakeNode = Callable[..., AbstractContextManager[Node]]


def test_it_runs_none_of_its_own_and_serves_their_todos(
    make_node: MakeNode, mongo_uri: str, redis_url: str
) -> None:
    with make_node(f"--mongo-uri={mongo_uri}", f"--redis-url={redis_url}") as node:
        running = [line.split()[0] for line in node.run("status").stdout.splitlines()]
        assert running == ["nginx", *(f"todo-{port}" for port in node.ports)]
        body = json.dumps({"content": "elsewhere"}).encode()
        headers = {"Content-Type": "application/json"}
        address = f"http://127.0.0.1:{node.port}/v1/todos"
        with urllib.request.urlopen(urllib.request.Request(address, body, headers)) as answer:
            assert answer.status == 201
    with MongoClient(mongo_uri) as client:
        assert client.get_default_database().todos.find_one()["content"] == "elsewhere"


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("--mongo-uri=mongodb://", "mongo_uri cannot be used"),
        ("--mongo-uri=mongodb://h/?retryWrite=1", "mongo_uri cannot be used"),
        ("--redis-url=redis://h:port", "redis_url cannot be used"),
        ("--redis-url=http://example.org", "argument --redis-url: must be an address"),
    ],
)
def test_an_address_that_cannot_be_used_is_named_before_anything_is_started(
    tmp_path: Path, flag: str, reason: str
) -> None:
    finished = Node.choose(tmp_path / "node").up(flag, check=False)
    assert finished.returncode == 2
    assert reason in finished.stderr
    assert not Layout(tmp_path / "node").log.exists()


def test_a_file_that_an_address_names_is_looked_for_where_the_processes_work(
    tmp_path: Path,
) -> None:
    (tmp_path / "node").mkdir()
    (tmp_path / "node/ca.pem").write_text("nonsense")
    finished = Node.choose(tmp_path / "node").up(
        "--redis-url=rediss://h/?ssl_ca_certs=ca.pem", check=False
    )
    # Found, and not understood.
    assert "redis_url cannot be used: [X509" in finished.stderr
