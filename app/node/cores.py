"""How many cores this process may use: those of the machine, less what it is not given."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

MOST_PROCESSES = 64
"""Of the service on one node. Each has a pool of connections to MongoDB and 60 MB, nginx asks each,
and 64 ports are kept for them. More cores than that are for MongoDB, Redis and nginx."""

LEAST_PROCESSES = 2
"""One answers while the other is restarted."""


def default_processes() -> int:
    """Return how many processes of the service a node has unless it is told: one for each core."""
    return min(max(LEAST_PROCESSES, usable_cores()), MOST_PROCESSES)


def usable_cores() -> int:
    """Return how many cores the scheduler gives this process: by its affinity and its cgroup."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # Linux alone has it.
        allowed = os.cpu_count() or 1
    return min(allowed, cgroup_cores(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")) or allowed)


def cgroup_cores(membership: Path, mount: Path) -> int | None:
    """Return how many cores the limits of a process's cgroup come to, rounded up; None: no limit.

    Args:
        membership: the process's /proc/PID/cgroup: cgroups(7).
        mount: where the hierarchies are. In a container its own cgroup may be at the top, whatever
            `membership` calls it.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    limits = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            read, top = _limit_v2, mount
        elif "cpu" in controllers.split(","):
            read, top = _limit_v1, mount / "cpu"
        else:
            continue
        limits += [limit for folder in _upwards(top, path) if (limit := read(folder)) is not None]
    return max(1, math.ceil(min(limits))) if limits else None


def _upwards(top: Path, path: str) -> Iterator[Path]:
    """Give a cgroup's folder and those above it: the narrowest limit of them all holds."""
    folder = top / path.lstrip("/")
    while folder != top:
        yield folder
        folder = folder.parent
    yield top


def _limit_v2(folder: Path) -> float | None:
    # https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
    return _ratio(*_words(folder / "cpu.max"))


def _limit_v1(folder: Path) -> float | None:
    # https://docs.kernel.org/scheduler/sched-bwc.html; -1 is no limit.
    return _ratio(*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us"))


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _ratio(quota: str = "max", period: str = "") -> float | None:
    if not (quota.isdecimal() and period.isdecimal() and int(period)):
        return None
    return int(quota) / int(period)
