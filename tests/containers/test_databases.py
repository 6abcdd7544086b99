"""MongoDB and Redis start with the commands of compose.yaml, and are what the service wants."""

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from containers.composition import Compose
from pymongo import MongoClient
from pymongo.uri_parser import parse_uri
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from app.embedded.binaries import MONGOD, REDIS_SERVER, Program, find_binary

_TRIES = 200
_POLL_SECONDS = 0.1
_MONGO_MILLISECONDS = 20_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def started(service: Compose, program: Program, folder: Path, port: int) -> Iterator[None]:
    """Start a database with the command of its container, in a folder and on another port."""
    places: dict[str, str] = {}
    for volume in service["volumes"]:
        is_file = volume["type"] == "bind"
        places[volume["target"]] = volume["source"] if is_file else str(folder)
    command = [places.get(word, word) for word in service["command"]]
    assert service["entrypoint"] == [program.name]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [find_binary(program), *command, "--port", str(port)],
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def redis(compose: Compose, tmp_path: Path) -> Iterator["Redis[str]"]:
    port = free_port()
    retry = Retry(ConstantBackoff(_POLL_SECONDS), _TRIES)
    with (
        started(compose["services"]["redis"], REDIS_SERVER, tmp_path, port),
        Redis(port=port, decode_responses=True, retry=retry) as client,
    ):
        client.ping()
        yield client


@pytest.fixture
def mongo(compose: Compose, tmp_path: Path) -> Iterator[MongoClient[dict[str, Any]]]:
    port = free_port()
    with (
        started(compose["services"]["mongo"], MONGOD, tmp_path, port),
        MongoClient(
            port=port, directConnection=True, serverSelectionTimeoutMS=_MONGO_MILLISECONDS
        ) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("save", ""),
        ("appendonly", "no"),
        ("maxmemory-policy", "volatile-ttl"),
        ("unixsocket", ""),
        ("protected-mode", "no"),
    ],
)
def test_redis_is_a_cache_that_others_reach(redis: "Redis[str]", name: str, value: str) -> None:
    assert redis.config_get(name) == {name: value}


def test_redis_gives_up_answers_before_its_container_is_full(
    redis: "Redis[str]", compose: Compose
) -> None:
    limit = int(compose["services"]["redis"]["deploy"]["resources"]["limits"]["memory"])
    assert 0 < int(redis.config_get("maxmemory")["maxmemory"]) <= limit * 0.6


def test_redis_listens_on_the_port_of_the_uri(compose: Compose) -> None:
    command = compose["services"]["redis"]["command"]
    uri = compose["services"]["todo-1"]["environment"]["TODO_REDIS_URL"]
    assert f":{command[command.index('--port') + 1]}/" in uri


def test_mongod_waits_to_be_made_a_replica_set(mongo: MongoClient[dict[str, Any]]) -> None:
    assert mongo.admin.command("hello")["isreplicaset"] is True


def test_mongod_is_reached_from_other_containers(mongo: MongoClient[dict[str, Any]]) -> None:
    options = mongo.admin.command("getCmdLineOpts")["parsed"]
    assert options["net"]["bindIp"] == "0.0.0.0"


def test_mongod_has_the_name_of_the_uri_and_of_the_health_check(
    mongo: MongoClient[dict[str, Any]], compose: Compose
) -> None:
    options = mongo.admin.command("getCmdLineOpts")["parsed"]
    name = options["replication"]["replSetName"]
    uri = parse_uri(compose["services"]["todo-1"]["environment"]["TODO_MONGO_URI"])
    script = compose["services"]["mongo"]["healthcheck"]["test"][-1]
    host = re.search(r"host: '([a-z]+):(\d+)'", script)
    assert uri["options"]["replicaSet"] == name
    assert f"_id: '{name}'" in script
    assert host is not None
    assert (host[1], int(host[2])) == uri["nodelist"][0]


def test_the_cache_of_mongod_leaves_room_in_its_container(
    mongo: MongoClient[dict[str, Any]], compose: Compose
) -> None:
    limit = int(compose["services"]["mongo"]["deploy"]["resources"]["limits"]["memory"])
    cache = mongo.admin.command("serverStatus")["wiredTiger"]["cache"]
    assert 0 < cache["maximum bytes configured"] <= limit / 2
