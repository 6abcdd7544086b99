"""What a data directory's users are given: two servers that work and that nobody else can reach."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymongo
import pytest
import redis
from embedded_users import User, end_servers_below, running_in, write_note

from app.embedded import join_servers


@dataclass
class Shared:
    """Servers that the tests which only look at them have in common, and their first user."""

    user: User
    answer: dict[str, Any]

    @property
    def data_dir(self) -> Path:
        return self.user.data_dir


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    parent = tmp_path_factory.mktemp("shared")
    user = User(parent / "var")
    try:
        yield Shared(user, user.answer())
    finally:
        user.end(killed=True)
        end_servers_below(parent)


def test_an_empty_directory_gets_a_mongod_that_commits_transactions(shared):
    answer = shared.answer
    with pymongo.MongoClient(answer["mongo_uri"]) as client, client.start_session() as session:
        notes = client.get_default_database()["notes"]
        with session.start_transaction():
            notes.insert_one({"_id": "first"}, session=session)
            notes.insert_one({"_id": "second"}, session=session)
        assert notes.count_documents({}) == 2


def test_an_empty_directory_gets_a_redis_server_that_keeps_values(shared):
    answer = shared.answer
    with redis.Redis.from_url(answer["redis_url"]) as client:
        client.set("key", "value", ex=60)
        assert client.get("key") == b"value"
        assert client.config_get("maxmemory") == {"maxmemory": str(256 * 1024 * 1024)}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-ttl"}


def test_the_description_names_both_servers_with_version_and_pid(shared):
    description = shared.answer["description"]
    running = running_in(shared.data_dir)
    mongod, redis_server = description.split(", ")
    assert mongod.startswith("mongod ")
    assert mongod.endswith(f" (pid {running.mongod.pid})")
    assert redis_server.startswith("redis-server ")
    assert redis_server.endswith(f" (pid {running.redis_server.pid})")


def test_the_servers_listen_on_nothing_but_their_sockets_in_the_directory(shared):
    running = running_in(shared.data_dir)
    for process in running.all():
        assert process.net_connections("inet") == []
    paths = {
        connection.laddr
        for process in (running.mongod, running.redis_server)
        for connection in process.net_connections("unix")
    }
    assert paths - {""} == {"./mongod.sock", "redis.sock"}


def test_the_directory_is_private(shared):
    assert shared.data_dir.stat().st_mode & 0o777 == 0o700
    files = [path for path in shared.data_dir.iterdir() if path.is_file()]
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []


def test_an_empty_directory_is_ready_without_a_wait_for_an_election(user, tmp_path):
    # Measured: 0.4 s. An election that is waited for takes 10; a busy machine may, but not always.
    assert any(user(at=tmp_path / f"{n}").answer()["seconds"] < 8 for n in range(10))


def test_joining_running_servers_takes_no_time(user, shared):
    # Measured: under 1 ms; a busy machine takes longer, but not each time.
    assert any(user(at=shared.data_dir).answer()["seconds"] < 0.02 for _ in range(50))


def test_a_signal_to_the_users_process_group_does_not_reach_the_servers(shared):
    group = os.getpgid(shared.user.process.pid)
    session = os.getsid(shared.user.process.pid)
    for process in running_in(shared.data_dir).all():
        assert os.getpgid(process.pid) != group
        assert os.getsid(process.pid) != session


def test_the_redis_the_first_user_did_not_need_is_there_for_the_second(user):
    first = user("mongo").answer()
    assert first["description"].startswith("mongod ")
    second = user().answer()
    assert first["description"] in second["description"]
    write_note(second["mongo_uri"], "written")


def test_the_waiting_user_is_told_what_for_and_a_joining_one_nothing(data_dir):
    starting: list[str] = []
    joining: list[str] = []
    with (
        join_servers(data_dir, on_wait=starting.append),
        join_servers(data_dir, on_wait=joining.append),
    ):
        pass
    assert starting == ["waiting for mongod and redis-server to start"]
    assert joining == []
