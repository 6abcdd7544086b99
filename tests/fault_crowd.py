"""What a crowd of idle and trickling clients costs the others, at nginx and at a bare process."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from node_faults import Patient
from service import ROOT

from benchmarks.trickle import SLOW, p99, slow_clients, slow_heads

IDLE = 10_000
MOST_TIMES = 2.0
_ALONE_SECONDS = 10.0
_PAIRS = 3


@dataclass(frozen=True)
class Crowd:
    """The 99th percentiles of good clients, in milliseconds, in pairs of rounds."""

    where: str
    alone: list[float]
    beside: list[float]

    @property
    def times(self) -> float:
        """The median of their ratios."""
        return median(b / a for a, b in zip(self.alone, self.beside, strict=True))

    @property
    def line(self) -> str:
        """A row of a table."""
        alone, beside = (
            " ".join(f"{value:.1f}" for value in values) for values in (self.alone, self.beside)
        )
        verdict = "holds" if self.times <= MOST_TIMES else f"above {MOST_TIMES:g}"
        return f"| {self.where} | {alone} | {beside} | {self.times:.2f} | {verdict} |\n"


HEAD = f"""\
| {IDLE:,} idle and {SLOW:,} trickling clients at | p99 of others alone, ms | beside them, ms | \
Ratio | |
| --- | ---: | ---: | ---: | --- |
"""


def measure_crowds(patient: Patient, *, seconds: float) -> Iterator[Crowd]:
    """Measure good clients alone and beside the crowd, some seconds in all beside it."""
    port = patient.node.ports[0]
    for where, asked in (("nginx", patient.node.port), ("a bare process", port)):
        alone, beside = [], []
        p99(asked, "/todo", 1.0)
        for _ in range(_PAIRS):
            alone.append(p99(asked, "/todo", _ALONE_SECONDS))
            with _idle(asked), slow_clients(slow_heads, asked):
                beside.append(p99(asked, "/todo", seconds / _PAIRS))
        yield Crowd(where, alone, beside)


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
