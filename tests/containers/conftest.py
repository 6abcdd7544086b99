"""Fixtures for the tests of what a container engine reads. There is no engine here.

===============  ==============================================================================
run_linter       ``run_linter(name, *arguments)``: runs a program of the environment to its end
stages           the stages of the Dockerfile by name
compose          what Compose itself makes of conf/compose.yaml
installed        the folder that the Dockerfile's build commands install the service into
variables        the environment that the image gives the service
run_installed    ``run_installed(*arguments, **variables)``: runs the installed service to its end
database         an address of MongoDB, for the file's tests
start_installed  ``start_installed(*before)``: a `Running` one that answers, behind a command such
                 as ``env``; killed after the file's tests
===============  ==============================================================================
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from containers.dockerfile import Stage, read_dockerfile
from containers.running import Run, Running
from own_database import own_database
from service import ROOT, environment

from app.embedded import EmbeddedServers

_SECONDS = 300.0
"""For what takes seconds; pip may have to fetch every package first."""


@pytest.fixture(scope="session")
def run_linter() -> Run:
    def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).parent / name
        assert program.exists(), f"{name} is missing: make install brings it"
        return _run([str(program), *arguments], cwd=ROOT, env=_few_variables())

    return run


@pytest.fixture(scope="session")
def stages() -> dict[str, Stage]:
    return read_dockerfile(ROOT / "Dockerfile")


@pytest.fixture(scope="session")
def compose(run_linter: Run) -> dict[str, Any]:
    ended = run_linter(
        "docker-compose", "--file", "conf/compose.yaml", "config", "--format", "json"
    )
    assert ended.returncode == 0, ended.stderr
    read: dict[str, Any] = json.loads(ended.stdout)
    return read


@pytest.fixture(scope="session")
def installed(stages: dict[str, Stage], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("image")
    build = stages["build"]
    source = root / build.last("WORKDIR").text.strip("/")
    for origin, target in build.copied():
        _copy(ROOT / origin, source / target, into=target.endswith("/"))
    # The image's own Python, with a pip that installs into it and into nothing else.
    _run([sys.executable, "-m", "venv", str(root / "python")]).check_returncode()
    path = f"{root / 'python/bin'}{os.pathsep}{os.environ['PATH']}"
    for command in build.all("RUN"):
        text = command.text
        for folder in ("/wheels", "/opt/todo"):
            text = text.replace(f" {folder}", f" {root}{folder}")
        ended = _run(
            ["sh", "-euc", text],
            cwd=source,
            env={**environment(), **build.environment(), "PATH": path},
        )
        assert ended.returncode == 0, f"{text}\n{ended.stdout}\n{ended.stderr}"
    return root / "opt/todo"


@pytest.fixture(scope="session")
def variables(stages: dict[str, Stage]) -> dict[str, str]:
    return {
        name: value for name, value in stages["service"].environment().items() if name != "PATH"
    }


@pytest.fixture(scope="session")
def run_installed(installed: Path, variables: dict[str, str]) -> Run:
    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        program = str(installed / "bin/tornado-todo")
        return _run([program, *arguments], cwd="/", env={**_few_variables(), **variables, **more})

    return run


@pytest.fixture(scope="module")
def database(servers: EmbeddedServers) -> Iterator[str]:
    with own_database(servers.mongo_uri) as uri:
        yield uri


@pytest.fixture(scope="module")
def start_installed(
    installed: Path, variables: dict[str, str], servers: EmbeddedServers, database: str
) -> Iterator[Callable[..., Running]]:
    started: list[subprocess.Popen[str]] = []
    of_the_test = {
        "TODO_ANONYMOUS": "write",
        "TODO_PORT": "0",
        "TODO_MONGO_URI": database,
        "TODO_REDIS_URL": servers.redis_url,
    }

    def start(*before: str) -> Running:
        process = subprocess.Popen(
            [*before, str(installed / "bin/tornado-todo"), "serve"],
            cwd=installed,
            env={**_few_variables(), **variables, **of_the_test},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stderr is not None
        banner = process.stderr.readline()
        match = re.search(r" on http://0\.0\.0\.0:(\d+)\b", banner)
        assert match is not None, banner
        return Running(process, int(match[1]))

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _few_variables() -> dict[str, str]:
    """Return what a process needs; Compose would take values of its own from all others."""
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def _run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=_SECONDS, **options
    )


def _copy(origin: Path, target: Path, *, into: bool) -> None:
    """Copy as COPY does: a file into a folder, and of a folder what is in it."""
    if origin.is_dir():
        shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target = target / origin.name if into else target
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, target)
