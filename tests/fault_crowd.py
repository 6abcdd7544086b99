"""What a crowd of idle and trickling clients costs the others, at nginx and at a bare process."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from urllib.request import urlopen

import uvloop
from node_faults import Patient
from service import ROOT

from benchmarks.trickle import SLOW, latencies, p99, slow_clients, slow_heads

IDLE = 10_000
MOST_TIMES = 2.0
_ALONE_SECONDS = 10.0
_ALONE_ROUNDS = 3
_BESIDE_SECONDS = 40.0
_BESIDE_ROUNDS = 3
"""Beside one crowd, in all for longer than it may be idle (60 s at nginx, 75 s at a process): it is
cut off, and comes again. Between rounds good clients connect anew, before nginx closes theirs."""


@dataclass(frozen=True)
class Crowd:
    """The 99th percentiles of good clients, in milliseconds: of rounds alone, and beside it."""

    where: str
    alone: list[float]
    beside: float

    @property
    def times(self) -> float:
        """By how much it is longer beside the crowd."""
        return self.beside / median(self.alone)

    @property
    def line(self) -> str:
        """A row of a table."""
        alone = " ".join(f"{value:.1f}" for value in self.alone)
        verdict = "holds" if self.times <= MOST_TIMES else f"above {MOST_TIMES:g}"
        return f"| {self.where} | {alone} | {self.beside:.1f} | {self.times:.2f} | {verdict} |\n"


HEAD = f"""\
| {IDLE:,} idle and {SLOW:,} trickling clients at | p99 of others alone, ms | \
beside them, 2 min, ms | Ratio | |
| --- | ---: | ---: | ---: | --- |
"""


def measure_crowds(patient: Patient) -> Iterator[Crowd]:
    """Measure good clients alone, and then beside the crowd."""
    nginx, process = patient.node.port, patient.node.ports[0]
    for where, port, count in (
        ("nginx", nginx, lambda: _number(nginx, "/nginx_status", rb"Active connections: (\d+)")),
        (
            "a bare process",
            process,
            lambda: _number(process, "/metrics", rb"\nhttp_server_open_connections ([\d.]+)"),
        ),
    ):
        p99(port, "/todo", 1.0)
        alone = [p99(port, "/todo", _ALONE_SECONDS) for _ in range(_ALONE_ROUNDS)]
        with _idle(port), slow_clients(slow_heads, port):
            assert (held := count()) >= IDLE, f"of the crowd {held} are there"
            seconds = [
                value
                for _ in range(_BESIDE_ROUNDS)
                for value in uvloop.run(latencies(port, "/todo", _BESIDE_SECONDS))
            ]
        yield Crowd(where, alone, quantiles(seconds, n=100)[98])


def _number(port: int, target: str, pattern: bytes) -> float:
    with urlopen(f"http://127.0.0.1:{port}{target}") as answer:
        found = re.search(pattern, answer.read())
    assert found is not None
    return float(found[1])


@contextmanager
def _idle(port: int) -> Iterator[None]:
    command = [sys.executable, "tests/idle_crowd.py", str(port), str(IDLE)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as crowd:
        try:
            assert crowd.stdout is not None
            assert crowd.stdout.readline() == b"ready\n", "the crowd did not come together"
            yield
            assert crowd.poll() is None, "the crowd has ended by itself"
        finally:
            crowd.kill()
