"""`run.py export` and `run.py statistics`: all todos as the API shows them, or one sentence."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from own_database import own_database
from processes import processes_in
from pymongo import MongoClient
from service import DEADLINE_SECONDS, ROOT, Service, environment, run

from app.embedded import EmbeddedServers

NO_REDIS = "--redis-url=none"
SOME, MANY = 40, 3000
BOTH = pytest.mark.parametrize("command", ["export", "statistics"])


def run_into(output: int, *arguments: str, shell: str = 'exec "$@"') -> tuple[int, list[str]]:
    """Return the exit code of a `run.py` and its lines on standard error."""
    ended = subprocess.run(
        ["sh", "-c", shell, "sh", sys.executable, "run.py", *arguments],
        cwd=ROOT,
        env=environment(),
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stderr.splitlines()


@contextmanager
def seeded(servers: EmbeddedServers, count: int) -> Iterator[str]:
    """Give the address of a database with so many todos."""
    with own_database(servers.mongo_uri) as uri:
        run("seed", f"--count={count}", f"--mongo-uri={uri}", NO_REDIS, is_traced=False)
        yield uri


@pytest.fixture(scope="module")
def some_todos(servers: EmbeddedServers) -> Iterator[str]:
    with seeded(servers, SOME) as uri:
        yield uri


@pytest.fixture(scope="module")
def many_todos(servers: EmbeddedServers) -> Iterator[str]:
    with seeded(servers, MANY) as uri:
        yield uri


@pytest.fixture(scope="module")
def shown(some_todos: str) -> list[dict[str, Any]]:
    """Return what the API shows of some todos."""
    service = Service("--port=0", f"--mongo-uri={some_todos}", NO_REDIS, is_traced=False)
    try:
        service.wait_for_banner()
        items: list[dict[str, Any]] = service.call("GET", "/v1/todos?limit=100").json()["items"]
    finally:
        service.kill()
    return items


def test_what_is_exported_is_what_the_api_shows(
    some_todos: str, shown: list[dict[str, Any]]
) -> None:
    ended = run("export", f"--mongo-uri={some_todos}")
    assert ended.process.returncode == 0
    assert [json.loads(line) for line in ended.output] == shown
    (summary,) = ended.log
    assert summary.startswith(f"exported {SOME} todos in ")
    assert summary.endswith(f" from {some_todos}")


def test_the_statistics_are_of_what_the_api_shows(
    some_todos: str, shown: list[dict[str, Any]]
) -> None:
    ended = run("statistics", f"--mongo-uri={some_todos}")
    assert ended.process.returncode == 0
    finished = sum(todo["is_finished"] for todo in shown)
    assert json.loads("\n".join(ended.output)) == {
        "total": SOME,
        "open": SOME - finished,
        "finished": finished,
        "oldest_created_at": shown[-1]["created_at"],
        "newest_created_at": shown[0]["created_at"],
    }
    assert ended.log == [f"counted in {some_todos}"]


def test_of_no_todos_nothing_is_exported(mongo_uri: str) -> None:
    ended = run("export", f"--mongo-uri={mongo_uri}")
    assert (ended.process.returncode, ended.output) == (0, [])


def test_without_todos_the_statistics_name_no_times(mongo_uri: str) -> None:
    ended = run("statistics", f"--mongo-uri={mongo_uri}")
    told = json.loads("\n".join(ended.output))
    assert told == {
        "total": 0,
        "open": 0,
        "finished": 0,
        "oldest_created_at": None,
        "newest_created_at": None,
    }


def test_what_a_data_directory_holds_is_exported_and_no_servers_are_left_behind(
    data_dir: Path,
) -> None:
    run("seed", "--count=3", f"--data-dir={data_dir}", NO_REDIS, is_traced=False)
    ended = run("export", f"--data-dir={data_dir}")
    assert (ended.process.returncode, len(ended.output)) == (0, 3)
    assert ended.log[-1].endswith(f" from {data_dir}")
    _, left = psutil.wait_procs(processes_in(data_dir), DEADLINE_SECONDS)
    assert not left


@BOTH
def test_a_data_directory_without_data_is_refused_and_not_made(
    command: str, data_dir: Path
) -> None:
    ended = run(command, f"--data-dir={data_dir}")
    assert (ended.process.returncode, ended.output) == (1, [])
    (sentence,) = ended.log
    assert sentence.startswith(f"run.py: there are no todos in {data_dir}: say where they are")
    assert not data_dir.exists()


@BOTH
def test_documents_that_no_service_has_taken_in_yet_are_told_of(
    command: str, mongo_uri: str
) -> None:
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        article = {"content": "x", "created_at": 1.0, "is_finished": False, "finished_at": None}
        client.get_default_database()["todos"].insert_one(article)
    ended = run(command, f"--mongo-uri={mongo_uri}")
    assert ended.process.returncode == 0
    warning, _ = ended.log
    assert warning.startswith("run.py: documents without an owner are left out")


@BOTH
def test_a_mongodb_that_is_away_ends_the_command_with_one_sentence_that_says_why(
    command: str,
) -> None:
    nowhere = "--mongo-uri=mongodb://127.0.0.1:1/todo"
    ended = run(command, nowhere, "--mongo-operation-seconds=0.5")
    assert (ended.process.returncode, ended.output) == (1, [])
    reason = "127.0.0.1:1: [Errno 111] Connection refused"
    assert ended.log == [f"run.py: MongoDB does not answer: {reason}"]


@BOTH
def test_a_full_disk_ends_the_command_with_one_sentence(command: str, some_todos: str) -> None:
    with Path("/dev/full").open("wb") as full:
        told = run_into(full.fileno(), command, f"--mongo-uri={some_todos}")
    assert told == (1, ["run.py: standard output: No space left on device"])


@BOTH
def test_a_closed_standard_output_ends_the_command_with_one_sentence(
    command: str, mongo_uri: str
) -> None:
    closed = 'exec "$@" >&-'
    code, log = run_into(subprocess.DEVNULL, command, f"--mongo-uri={mongo_uri}", shell=closed)
    assert code == 1
    assert log == ["run.py: standard output is closed: nobody could read what is written"]


@BOTH
def test_a_reader_that_has_left_ends_the_command_without_a_word(
    command: str, some_todos: str
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    told = run_into(writing, command, f"--mongo-uri={some_todos}")
    os.close(writing)
    assert told == (1, [])


@contextmanager
def blocked_export(mongo_uri: str) -> Iterator[subprocess.Popen[bytes]]:
    """Give an export in the middle of a write, which its reader has begun to read."""
    with subprocess.Popen(
        [sys.executable, "run.py", "export", f"--mongo-uri={mongo_uri}"],
        cwd=ROOT,
        env={**environment(), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as exporting:
        assert exporting.stdout is not None
        try:
            exporting.stdout.peek(1)  # A batch is more than a pipe holds.
            yield exporting
        finally:
            exporting.kill()


def test_ctrl_c_ends_an_export_even_while_its_reader_pauses(many_todos: str) -> None:
    with blocked_export(many_todos) as exporting:
        exporting.send_signal(signal.SIGINT)
        assert exporting.wait(DEADLINE_SECONDS) == 130
        assert exporting.stderr is not None
        assert exporting.stderr.read() == b""


def test_an_export_that_is_stopped_and_goes_on_loses_nothing(many_todos: str) -> None:
    with blocked_export(many_todos) as exporting:
        exporting.send_signal(signal.SIGSTOP)
        os.waitpid(exporting.pid, os.WUNTRACED)
        exporting.send_signal(signal.SIGCONT)
        assert exporting.stdout is not None
        lines = exporting.stdout.readlines()
    assert len({json.loads(line)["id"] for line in lines}) == MANY
