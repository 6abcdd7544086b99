"""Connections that were made before their server was a member of a replica set."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from embedded_users import eventually
from pymongo import MongoClient
from pymongo.errors import ConnectionFailure
from tornado.testing import bind_unused_port

from app.bootstrap import make_repository
from app.domain.page import TodoQuery
from app.embedded.binaries import MONGOD, find_binary
from app.metrics import Metrics
from app.resources import open_resources
from app.settings import Settings

OWNER = "public"


@pytest.fixture
def lonely_uri(tmp_path: Path) -> Iterator[str]:
    """Return the address of a mongod that is to be a member of a replica set, and is none yet."""
    listening, port = bind_unused_port()
    listening.close()
    options = [f"--dbpath={tmp_path}", f"--port={port}", "--nounixsocket", "--replSet=early"]
    log = tmp_path / "log"
    with log.open("wb") as output:
        mongod = subprocess.Popen([find_binary(MONGOD), *options], stdout=output)
    uri = f"mongodb://127.0.0.1:{port}/todo?directConnection=true"
    with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=100) as client:
        eventually(lambda: answers(client), "an answer of mongod")
    yield uri
    mongod.kill()
    mongod.wait(10)


def answers(client: MongoClient[dict[str, Any]]) -> bool:
    try:
        return bool(client.admin.command("ping")["ok"])
    except ConnectionFailure:
        return False


def make_member(uri: str) -> None:
    """Make a replica set of the one server."""
    with MongoClient[dict[str, Any]](uri) as client:
        host = uri.partition("//")[2].partition("/")[0]
        members = [{"_id": 0, "host": host}]
        client.admin.command("replSetInitiate", {"_id": "early", "members": members})
        eventually(lambda: client.admin.command("hello")["isWritablePrimary"], "a primary")


@pytest.mark.gen_test
async def test_a_connection_without_sessions_is_dropped_and_no_request_fails(
    lonely_uri: str, settings: Settings, metrics: Metrics
) -> None:
    async with open_resources(settings, mongo_uri=lonely_uri, redis_url=None) as resources:
        await resources.todos.database.command("ping")  # On a connection that the driver keeps.
        make_member(lonely_uri)
        repository = make_repository(settings, resources, metrics)
        await repository.prepare(owner=OWNER)
        for _ in range(3):
            assert await repository.list(TodoQuery(owner=OWNER, limit=9)) == []
