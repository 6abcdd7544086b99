"""Where the log is JSON, every line on standard error is, whatever the service ends with."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from service import ROOT, Service, run

from app import __version__

FAULTY = """
import sys
from app import cli

def fail(arguments):
    raise RuntimeError("unforeseen")

cli._serve = fail
sys.exit(cli.main(["--port=0"]))
"""
NOBODY = "mongodb://127.0.0.1:1/"


def entries(service: Service) -> Sequence[dict[str, Any]]:
    """Return the log, each line of which must be an object with these members."""
    told = [json.loads(line) for line in service.raw_log]
    assert all({"ts", "level", "logger", "event"} <= entry.keys() for entry in told)
    return told


def test_the_banner_is_an_event_that_says_where_it_listens_and_what_runs(
    start: Callable[..., Service], data_dir: Path
) -> None:
    service = start()
    assert service.stop() == 0
    (banner,) = (entry for entry in entries(service) if "data_dir" in entry)
    assert banner["event"] == f"Todos {__version__} on http://127.0.0.1:{service.port}"
    assert banner["level"] == "info"
    assert banner["data_dir"] == str(data_dir)
    assert "mongod " in banner["running"]
    assert service.output == []


def test_the_banner_is_for_a_person_where_the_log_is(
    start: Callable[..., Service], backend_flags: tuple[str, ...]
) -> None:
    service = start(*backend_flags, terminal=True)
    assert service.stop() == 0
    assert service.output[0].startswith("Todos ")
    assert not any(line.startswith("{") for line in service.raw_log)


def test_a_terminal_may_have_a_log_of_json_too(
    start: Callable[..., Service], backend_flags: tuple[str, ...]
) -> None:
    service = Service("--port=0", "--log-format=json", *backend_flags, terminal=True)
    try:
        service.wait_for_log("Todos .* on http")
        assert service.stop() == 0
    finally:
        service.kill()
    assert entries(service)
    assert service.output == []


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        (["--prot", "1"], 2, "unknown flag '--prot'"),
        (["serve", "--port=x"], 2, "port must be a whole number"),
        (["--config=/no/such/file"], 2, "file /no/such/file does not exist"),
        (["--port=0", "--redis-url=none", f"--mongo-uri={NOBODY}?x=1"], 2, "mongo_uri cannot"),
        (["--port=0", "--data-dir=/proc/none"], 1, "The data directory /proc/none cannot be used"),
    ],
    ids=["flag", "value", "file", "address", "data directory"],
)
def test_why_the_service_does_not_start_is_an_event(
    flags: list[str], code: int, sentence: str
) -> None:
    ended = run(*flags)
    assert ended.process.returncode == code
    last = entries(ended)[-1]
    assert last["level"] == "critical"
    assert sentence in last["event"]
    assert ended.output == []


def test_a_taken_port_is_an_event(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run("--port", str(taken.getsockname()[1]), f"--data-dir={data_dir}")
    (entry,) = entries(ended)
    assert entry["level"] == "critical"
    assert "is in use" in entry["event"]


def test_a_storage_that_is_away_leaves_the_log_json(data_dir: Path) -> None:
    service = Service("--port=0", f"--mongo-uri={NOBODY}", "--redis-url=none")
    try:
        service.wait_for_banner()
        assert service.call("GET", "/v1/todos").status == 503
        assert service.stop() == 0
    finally:
        service.kill()
    assert "MongoDB has not answered yet" in next(
        entry["storage"] for entry in entries(service) if "storage" in entry
    )


def test_an_error_on_a_terminal_is_a_sentence(data_dir: Path) -> None:
    service = Service("--port=x", f"--data-dir={data_dir}", terminal=True)
    assert service.wait() == 2
    (line,) = service.raw_log
    assert line.startswith("run.py: port must be a whole number")


def test_a_fault_of_ours_is_one_event_with_its_stack() -> None:
    command = [sys.executable, "-c", FAULTY]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "unforeseen" in json.loads(line)["exception"]
