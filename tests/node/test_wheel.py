"""What is built and installed as a wheel, outside of any clone, does all that `run.py` does."""

import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from nodes import Node
from processes import processes_in
from service import ROOT, Service, environment

NOT_SOURCE = shutil.ignore_patterns(
    *(".venv", ".git", "var*", "build", "dist", "*.egg-info", ".coverage*", ".*_cache"),
    *("__pycache__", ".hypothesis", ".env"),
)


def build(kind: str, source: Path, into: Path) -> Path:
    """Build an sdist or a wheel as pip does, with the environment's own setuptools."""
    command = f"import setuptools.build_meta as b, sys; b.build_{kind}(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", command, str(into)], cwd=source, check=True, capture_output=True
    )
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("source") / "clone"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=NOT_SOURCE)
    return copy


@pytest.fixture(scope="module")
def files(source: Path) -> set[str]:
    return {str(file.relative_to(source)) for file in source.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def unpacked(source: Path, files: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    # After the files have been listed: building leaves some beside them.
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(build("sdist", source, tmp_path_factory.mktemp("sdist"))) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    return unpacked


@pytest.fixture(scope="module")
def program(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return tornado-todo in an environment whose other packages are those of the tests."""
    wheel = build("wheel", unpacked, tmp_path_factory.mktemp("wheel"))
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin/python"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--quiet", "--python", str(python)),
            *("install", "--no-deps", "--no-index", str(wheel)),
        ],
        check=True,
    )
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return folder / "bin/tornado-todo"


@pytest.fixture
def node(program: Path) -> Iterator[Node]:
    folder = Path(tempfile.mkdtemp(prefix="a wheel's node ", dir="/tmp"))
    node = replace(Node.choose(folder / "node"), program=(str(program),))
    yield node
    node.run("down", check=False)
    left = processes_in(node.folder)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=5)
    shutil.rmtree(folder)


def test_the_source_distribution_is_all_that_a_clone_has(files: set[str], unpacked: Path) -> None:
    assert [name for name in sorted(files) if not (unpacked / name).is_file()] == []


def test_it_calls_itself_by_its_name(program: Path) -> None:
    helped = subprocess.run(
        [program, "--help"], cwd="/", env=environment(), check=True, capture_output=True, text=True
    )
    assert helped.stdout.startswith("usage: tornado-todo ")
    assert "run.py" not in helped.stdout
    wrong = subprocess.run(
        [program, "sede"], cwd="/", env=environment(), check=False, capture_output=True, text=True
    )
    assert wrong.stderr == "tornado-todo: unknown command 'sede': did you mean 'seed'?\n"


def test_it_serves(program: Path, mongo_uri: str, redis_url: str) -> None:
    service = Service(
        *("--port=0", f"--mongo-uri={mongo_uri}", f"--redis-url={redis_url}"),
        program=(str(program),),
    )
    try:
        service.wait_for_banner()
        service.add("written through what a wheel installed")
        assert service.stop(signal.SIGTERM) == 0
    finally:
        service.kill()


def test_a_node_starts_restarts_and_stops(node: Node) -> None:
    told = node.up().stdout
    assert "tornado-todo status, restart" in told
    (command,) = {
        tuple(process.cmdline()[:3])
        for process in processes_in(node.folder)
        if "--config=conf/todo.conf" in process.cmdline()
    }
    assert command == ("python", "-m", "app")
    assert node.run("restart").returncode == 0
    assert "ready" in node.run("status").stdout
    assert node.run("down").returncode == 0
    assert processes_in(node.folder) == []
