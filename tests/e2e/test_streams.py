"""Standard input, output and error that are closed, full, left by their reader, or ASCII."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from service import ROOT, Service, environment, run

NOWHERE = ("--port=0", "--mongo-uri=mongodb://127.0.0.1:1/", "--redis-url=none")
"""Flags of a service that starts without servers."""

ANSWERS = pytest.mark.parametrize("arguments", ["--help", "--show-settings"])


def under_shell(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a `run.py` as "$@" of a shell's script."""
    ended = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "run.py", *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    return ended


@pytest.fixture
def start_under_shell() -> Iterator[Callable[[str], Service]]:
    services: list[Service] = []

    def start(script: str) -> Service:
        # The banner is on standard output where the log is for a person.
        flags = (*NOWHERE, "--log-level=info", "--log-format=console")
        service = Service(*flags, before=("sh", "-c", script, "sh"))
        services.append(service)
        return service

    yield start
    for service in services:
        service.kill()


@ANSWERS
def test_a_full_standard_output_is_one_sentence(arguments: str) -> None:
    ended = under_shell('exec "$@" >/dev/full', arguments)
    assert ended.returncode == 1
    assert ended.stderr == "run.py: standard output: No space left on device\n"


@ANSWERS
def test_a_reader_that_has_left_ends_it_without_a_word(arguments: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "run.py", arguments],
        cwd=ROOT,
        env=environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")


@ANSWERS
@pytest.mark.parametrize("closed", ["<&- >&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_obstacle(arguments: str, closed: str) -> None:
    ended = under_shell(f'exec "$@" {closed}', arguments)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("stream", ["2>&-", "2>/dev/full"])
def test_an_error_that_nobody_can_read_has_its_exit_code(stream: str) -> None:
    assert under_shell(f'exec "$@" {stream}', "--prot").returncode == 2
    assert under_shell(f'exec "$@" {stream}', "sede").returncode == 2


@pytest.mark.parametrize("streams", [">/dev/full", ">&-", "<&- >&-"])
def test_a_banner_that_nobody_can_read_does_not_end_the_service(
    start_under_shell: Callable[[str], Service], streams: str
) -> None:
    service = start_under_shell(f'exec "$@" {streams}')
    service.wait_for_log("MongoDB does not answer")
    assert service.stop(signal.SIGTERM) == 0
    service.wait_for_log("stopping: no new connections")
    assert not any("Traceback" in line or "ignored" in line for line in service.log)


@pytest.mark.parametrize("streams", ["2>/dev/full", "2>&-", "<&- 2>&-"])
def test_a_log_that_nobody_can_read_does_not_end_the_service(
    start_under_shell: Callable[[str], Service], streams: str
) -> None:
    service = start_under_shell(f'exec "$@" {streams}')
    service.wait_for_banner()
    assert service.call("GET", "/livez").status == 200
    assert service.stop(signal.SIGTERM) == 0


ENCODINGS = {
    "ASCII": {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    "Latin 1": {"PYTHONIOENCODING": "latin-1:strict", "PYTHONUTF8": "0"},
    "GBK": {"PYTHONIOENCODING": "gbk", "PYTHONUTF8": "0"},
    "C": {"LC_ALL": "C", "LANG": "C"},
}


@pytest.mark.parametrize("variables", ENCODINGS.values(), ids=ENCODINGS)
def test_chinese_and_more_is_written_in_any_encoding(
    variables: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "\u5f85\u529e\U0001f95b"
    shown = subprocess.run(
        [sys.executable, "run.py", "--show-settings", f"--data-dir={folder}"],
        cwd=ROOT,
        env={**environment(), **variables},
        capture_output=True,
        check=False,
    )
    assert (shown.returncode, shown.stderr) == (0, b"")
    ended = run("export", f"--data-dir={folder}", variables=variables)
    assert ended.process.returncode == 1
    (line,) = ended.log
    assert f"there are no todos in {folder}" in line


def test_a_name_that_is_not_utf_8_is_written_with_escapes(tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    ended = run("export", f"--data-dir={folder}")
    assert ended.process.returncode == 2
    (line,) = ended.log
    assert "data_dir must be one line of printable text" in line


def test_log_lines_are_json_in_utf_8_whatever_the_encoding() -> None:
    variables = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "TODO_\u5f85": "1"}
    ended = run("--show-settings", variables=variables)
    (line,) = ended.log
    assert "TODO_\u5f85" in json.loads(line)["event"]
