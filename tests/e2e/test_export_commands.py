"""`run.py export` and `run.py statistics`: all todos as the API shows them, or one sentence."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from processes import processes_in
from service import DEADLINE_SECONDS, ROOT, Service, environment, run

NO_REDIS = "--redis-url=none"


def todos_of(service: Service) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = service.call("GET", "/v1/todos?limit=100").json()["items"]
    return items


def export_to(file: str, mongo_uri: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "run.py", "export", f"--mongo-uri={mongo_uri}"]
    with Path(file).open("w", encoding="utf-8") as output:
        return subprocess.run(
            command,
            cwd=ROOT,
            env=environment(),
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )


def test_what_is_exported_is_what_the_api_shows(
    mongo_uri: str, start: Callable[..., Service]
) -> None:
    run("seed", "--count=40", f"--mongo-uri={mongo_uri}", NO_REDIS)
    shown = todos_of(start("--mongo-uri", mongo_uri, NO_REDIS))
    ended = run("export", f"--mongo-uri={mongo_uri}")
    assert ended.process.returncode == 0
    assert [json.loads(line) for line in ended.output] == shown[::-1]
    assert ended.log[-1].startswith("exported 40 todos in ")


def test_the_statistics_are_of_what_the_api_shows(
    mongo_uri: str, start: Callable[..., Service]
) -> None:
    run("seed", "--count=40", f"--mongo-uri={mongo_uri}", NO_REDIS)
    shown = todos_of(start("--mongo-uri", mongo_uri, NO_REDIS))
    ended = run("statistics", f"--mongo-uri={mongo_uri}")
    assert ended.process.returncode == 0
    finished = sum(todo["is_finished"] for todo in shown)
    assert json.loads("\n".join(ended.output)) == {
        "total": 40,
        "open": 40 - finished,
        "finished": finished,
        "oldest_created_at": shown[-1]["created_at"],
        "newest_created_at": shown[0]["created_at"],
    }


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


def test_servers_are_started_where_none_are_named_and_none_are_left_behind(data_dir: Path) -> None:
    ended = run("export", f"--data-dir={data_dir}")
    assert ended.process.returncode == 0
    _, left = psutil.wait_procs(processes_in(data_dir), DEADLINE_SECONDS)
    assert not left


@pytest.mark.parametrize("command", ["export", "statistics"])
def test_a_mongodb_that_is_away_ends_the_command_with_one_sentence(command: str) -> None:
    nowhere = "--mongo-uri=mongodb://127.0.0.1:1/todo"
    ended = run(command, nowhere, "--mongo-operation-seconds=0.5")
    assert (ended.process.returncode, ended.output) == (1, [])
    assert ended.log[-1].startswith("run.py: MongoDB does not answer: ")


def test_a_full_disk_ends_an_export_with_one_sentence(mongo_uri: str) -> None:
    run("seed", "--count=1", f"--mongo-uri={mongo_uri}", NO_REDIS)
    ended = export_to("/dev/full", mongo_uri)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "run.py: standard output: No space left on device"
