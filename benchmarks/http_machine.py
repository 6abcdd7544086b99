"""What a measurement of servers needs and where it was taken: programs, CPUs, versions."""

import os
import platform
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
ENVIRONMENT = ROOT / "build" / "bench-venv"
REQUIREMENTS = Path(__file__).parent / "peers" / "requirements.txt"

OUR_PACKAGES = ("tornado", "uvloop")
PEER_PACKAGES = (
    *("fastapi", "starlette", "falcon", "uvicorn", "httptools", "uvloop", "sanic", "aiohttp"),
    *("flask", "werkzeug", "gunicorn", "gevent", "granian"),
)


class BenchmarkError(Exception):
    """What keeps the measurement from being taken; its text is for the user."""


def find_program(name: str) -> str:
    """Return the path of a program of the system.

    Raises:
        BenchmarkError: it is not installed.
    """
    # Debian keeps nginx where an ordinary user's PATH does not look.
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if path is None:
        raise BenchmarkError(
            f"{name} is not installed; on Debian: apt-get install nginx wrk util-linux"
        )
    return path


def peer_program(name: str) -> str:
    """Return the path of a program of the peers' environment."""
    return str(ENVIRONMENT / "bin" / name)


def prepare_environment() -> None:
    """Make the peers' environment, or make it anew when other versions are asked for.

    Raises:
        BenchmarkError: pip failed; what it said stands on stderr.
    """
    wanted = REQUIREMENTS.read_bytes()
    installed = ENVIRONMENT / "requirements.txt"
    if installed.exists() and installed.read_bytes() == wanted:
        return
    print(f"installing the peers into {ENVIRONMENT.relative_to(ROOT)}", file=sys.stderr)
    pip = [peer_program("python"), "-m", "pip", "install", "--quiet"]
    commands = (
        [sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)],
        [*pip, "--disable-pip-version-check", "--requirement", str(REQUIREMENTS)],
    )
    for command in commands:
        if subprocess.run(command, check=False, stdout=sys.stderr).returncode != 0:  # noqa: S603
            raise BenchmarkError(f"failed: {' '.join(command)}")
    installed.write_bytes(wanted)


def allow_connections(count: int) -> None:
    """Raise the limit of open files for this process and those it starts.

    Raises:
        BenchmarkError: the system does not allow enough.
    """
    wanted = 2 * count + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if hard != unlimited and hard < wanted:
        raise BenchmarkError(f"{count} connections need {wanted} open files; ulimit -Hn is {hard}")
    if soft != unlimited and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def choose_cpus() -> tuple[int, int]:
    """Return the CPU of the server and that of the load, on two cores where there are two.

    Raises:
        BenchmarkError: there is only one.
    """
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise BenchmarkError(
            f"two CPUs are needed, one for the server and one for the load; this process may use "
            f"{len(cpus)}"
        )
    server, *others = cpus
    siblings = _siblings(server)
    return server, next((cpu for cpu in others if cpu not in siblings), others[0])


def busy_seconds(cpus: Iterable[int]) -> float:
    """Return how long these CPUs have not been idle; time that the host kept for itself counts."""
    times = psutil.cpu_times(percpu=True)
    # Interrupts count apart here, but also in the time of the process that they interrupt.
    busy: float = sum(
        sum((entry.user, entry.nice, entry.system, entry.irq, entry.softirq, entry.steal))
        for entry in (times[cpu] for cpu in cpus)
    )
    return busy


def _siblings(cpu: int) -> set[int]:
    """Return the CPUs on the core of this one."""
    topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    if not topology.exists():
        return {cpu}
    siblings: set[int] = set()
    for part in topology.read_text(encoding="ascii").strip().split(","):
        first, _, last = part.partition("-")
        siblings.update(range(int(first), int(last or first) + 1))
    return siblings


def describe_machine() -> dict[str, str]:
    """Return what the figures depend on, in words."""
    information = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^model name\s*:\s*(.+)$", information, re.MULTILINE)
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": _output("git", "rev-parse", "--short", "HEAD") + _changes(),
        "cpu": f"{model[1] if model else platform.machine()}, {os.cpu_count()} CPUs",
        "kernel": f"{platform.system()} {platform.release()}",
    }


def describe_versions(
    ours: Sequence[str] = OUR_PACKAGES, peers: Sequence[str] = PEER_PACKAGES
) -> dict[str, str]:
    """Return the version of everything that takes part: Python, these packages and programs."""
    our_versions = _installed(sys.path)
    peer_versions = _installed(map(str, (ENVIRONMENT / "lib").glob("python*/site-packages")))
    versions = {"Python": platform.python_version()}
    versions |= {f"{name} (ours)": our_versions[name] for name in ours if name in our_versions}
    versions |= {name: peer_versions[name] for name in peers}
    versions["nginx"] = _output(find_program("nginx"), "-v").rpartition("/")[2]
    versions["wrk"] = _output(find_program("wrk"), "-v").partition(" [")[0].removeprefix("wrk ")
    return versions


def _installed(folders: Iterable[str]) -> dict[str, str]:
    """Return the version of each package in these folders, by its name in lower case."""
    found = distributions(path=list(folders))
    return {distribution.name.lower(): distribution.version for distribution in found}


def _changes() -> str:
    return " and uncommitted changes" if _output("git", "status", "--porcelain", "app") else ""


def _output(*command: str) -> str:
    """Return what a command says, on stderr or stdout; wrk's exit code for -v is not 0."""
    result = subprocess.run(  # noqa: S603 - git, nginx and wrk, asked for their versions.
        command, cwd=ROOT, check=False, capture_output=True, text=True
    )
    return (result.stdout + result.stderr).strip()
