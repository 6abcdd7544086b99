"""How it may be called, and what can happen before it has started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from service import ROOT, Service, environment, run

from app import __version__

PID_1 = ("unshare", "--map-root-user", "--pid", "--fork", "--kill-child")


def test_help_and_version_are_commands_too() -> None:
    assert run("help").output == run("--help").output
    assert run("help", "seed").output == run("seed", "--help").output
    assert run("version").output == [f"tornado-todo {__version__}"]


def test_help_and_version_have_a_help_of_their_own() -> None:
    for command in ("help", "version"):
        ended = run("help", command)
        assert ended.process.returncode == 0
        assert ended.output[0].startswith(f"usage: run.py {command} ")


@pytest.mark.parametrize("arguments", [["help", "seed"], ["version"]])
def test_what_help_and_version_do_not_take_is_named(arguments: list[str]) -> None:
    ended = run(*arguments, "extra")
    assert ended.process.returncode == 2
    (line,) = ended.log
    assert line.startswith(f"run.py {arguments[0]}: unknown argument 'extra'")


def test_help_for_a_command_that_is_none_is_one_sentence() -> None:
    ended = run("help", "sede")
    assert ended.process.returncode == 2
    assert ended.log == ["run.py: unknown command 'sede': did you mean 'seed'?"]


def test_as_a_module_it_does_the_same_and_calls_itself_so() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "app", "sede"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr == "python -m app: unknown command 'sede': did you mean 'seed'?\n"


def test_a_python_without_the_packages_is_told_what_brings_them() -> None:
    # Without site-packages.
    ended = subprocess.run(
        [sys.executable, "-S", "run.py"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("run.py: tornado is missing in ")
    assert "make run" in line


def test_sigterm_ends_the_first_process_of_a_container_while_it_starts(tmp_path: Path) -> None:
    config = tmp_path / "todo.conf"
    os.mkfifo(config)
    service = Service(f"--config={config}", before=PID_1)
    try:
        # Opens when the process reads its settings, and keeps it there.
        with config.open("w"):
            (first,) = psutil.Process(service.process.pid).children()
            first.send_signal(signal.SIGTERM)
            assert service.wait() == 128 + signal.SIGTERM
    finally:
        service.kill()
    assert service.log == []


@pytest.mark.parametrize("name", ["PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"])
def test_the_prometheus_clients_folder_of_several_processes_is_ignored_and_told(
    name: str, backend_flags: tuple[str, ...], tmp_path: Path
) -> None:
    service = Service("--port=0", *backend_flags, variables={name: str(tmp_path / "missing")})
    try:
        service.wait_for_banner()
        assert service.call("GET", "/metrics").status == 200
        assert service.stop() == 0
    finally:
        service.kill()
    service.wait_for_log(f"{name} is ignored")
