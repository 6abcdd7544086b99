"""A node as its operator works with it: by the commands of `run.py`."""

import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from service import ROOT, environment, untraced_environment

from app.node.layout import NodeError
from app.node.ports import require_free

DEADLINE_SECONDS = 300.0
PROCESSES = 2

_PORTS = range(20_000, 30_000)
"""Below those that the kernel gives to clients."""


@dataclass(frozen=True)
class Node:
    """A node's folder and ports."""

    folder: Path
    port: int
    tls_port: int
    redirect_port: int
    first_port: int
    first_mongo_port: int
    program: tuple[str, ...] = (sys.executable, "run.py")

    @classmethod
    def choose(cls, folder: Path) -> "Node":
        """Return a node on ports that nobody uses: three for nginx, the others in rows."""
        base = _free_row(20)
        return cls(folder, base, base + 1, base + 2, base + 3, base + 15)

    @property
    def ports(self) -> range:
        """The ports of the service's processes at first."""
        return range(self.first_port, self.first_port + PROCESSES)

    @property
    def all_ports(self) -> tuple[int, int, int, int, int]:
        """Its ports as its fields have them."""
        return (
            *(self.port, self.tls_port, self.redirect_port),
            *(self.first_port, self.first_mongo_port),
        )

    def up(self, *flags: str, check: bool = True, is_traced: bool = False) -> "Finished":
        """Start it.

        Args:
            flags: more of them.
            check: it must succeed.
            is_traced: coverage is measured, also of all that the node runs: of what it serves other
                tests do that, and it would do half as much.
        """
        return self.run(
            "up",
            *flags,
            f"--processes={PROCESSES}",
            f"--port={self.port}",
            f"--tls-port={self.tls_port}",
            f"--redirect-port={self.redirect_port}",
            f"--first-port={self.first_port}",
            f"--first-mongo-port={self.first_mongo_port}",
            check=check,
            is_traced=is_traced,
        )

    def run(
        self, command: str, *arguments: str, check: bool = True, is_traced: bool = True
    ) -> "Finished":
        """Run a command on it, which must succeed unless ``check`` is False."""
        finished = subprocess.run(
            [*self.program, command, f"--node={self.folder}", *arguments],
            cwd=ROOT,
            env=environment() if is_traced else untraced_environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        assert not check or finished.returncode == 0, finished.stdout + finished.stderr
        assert "Traceback" not in finished.stderr, finished.stderr
        return finished


Finished = subprocess.CompletedProcess[str]


def _free_row(length: int) -> int:
    while True:
        base = random.choice(_PORTS)
        if all(_is_free(port) for port in range(base, base + length)):
            return base


def _is_free(port: int) -> bool:
    try:
        require_free(port)
    except NodeError:
        return False
    return True
