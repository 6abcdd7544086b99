"""What the systems of ``benchmarks.cache`` are asked for."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.cache_backends import WRITTEN
from benchmarks.http_load import WARM_UP_SECONDS
from benchmarks.http_machine import find_program
from benchmarks.http_servers import PEERS
from benchmarks.peers.body import TARGET

MAX_START = 10_000
"""Todos that a reader may skip: the limit of our service (max_start)."""

_SCRIPT: Path = PEERS / "todo_load.lua"


@dataclass(frozen=True)
class Load:
    """A mix of requests."""

    name: str
    title: str
    pages: int = 1
    """Different pages that are read, each as likely as the others; 1: the newest todos."""

    step: int = 10
    """Todos from the start of a page to the start of the next."""

    writes: int = 0
    """Of 100 requests."""

    warm_up_seconds: int = WARM_UP_SECONDS
    """Long enough to cache the pages."""

    at_most_connections_too: bool = True
    """Measured at every number of connections, not only at the least."""

    def command(self, *, cpu: int | str, connections: int, port: int) -> list[str]:
        """Return the command line of wrk, to which its duration must be added.

        Args:
            cpu: where wrk runs; several as taskset reads them (``0,1``).
            connections: how many it keeps.
            port: of the system on 127.0.0.1.
        """
        command = [find_program("taskset"), "-c", str(cpu), find_program("wrk"), "-t1", "--latency"]
        command += [f"-c{connections}", f"http://127.0.0.1:{port}{TARGET}"]
        if self.pages == 1 and self.writes == 0:
            return command  # Without a script wrk itself takes the least time.
        variables = {
            "PAGES": self.pages,
            "STEP": self.step,
            "WRITES": self.writes,
            "FORM": urlencode({"content": WRITTEN}),
        }
        environment = [f"BENCHMARK_{name}={value}" for name, value in variables.items()]
        return [find_program("env"), *environment, *command, "-s", os.fspath(_SCRIPT)]


HOT = Load("hot", "hot list")
RANDOM = Load("random", "random pages", pages=1000, warm_up_seconds=3)
# In this order: those that write come last, so that the others read what was seeded.
LOADS = (
    HOT,
    RANDOM,
    Load("mix-90-10", "90 % reads, 10 % writes", writes=10, at_most_connections_too=False),
    Load("mix-50-50", "50 % reads, 50 % writes", writes=50, at_most_connections_too=False),
    Load("writes", "writes", writes=100),
)

BIG_LOADS = (
    HOT,
    replace(RANDOM, pages=MAX_START // 10 + 1),
    Load("anywhere", "pages from any start", pages=MAX_START + 1, step=1, warm_up_seconds=3),
)
"""For 1,000,000 todos. The last reads more pages than the warm-up can cache, so mostly MongoDB."""
