"""Where a node's files are."""

from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).parents[2]
"""Where run.py and conf/ are."""


class NodeError(Exception):
    """A node cannot do what was asked; the text is a sentence for the person who asked."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folder of a node: its configuration, and what its processes write."""

    folder: Path

    @property
    def conf(self) -> Path:
        """What an operator edits."""
        return self.folder / "conf"

    @property
    def programs(self) -> Path:
        """One file for each program, and one for each process of the service."""
        return self.conf / "programs"

    @property
    def supervisord(self) -> Path:
        """The configuration of supervisord."""
        return self.conf / "supervisord.conf"

    @property
    def log(self) -> Path:
        """What the processes write to their standard output and error."""
        return self.folder / "log"

    @property
    def run(self) -> Path:
        """Sockets and process ids."""
        return self.folder / "run"

    @property
    def socket(self) -> Path:
        """Where supervisord listens."""
        return self.run / "supervisor.sock"

    @property
    def ports(self) -> list[int]:
        """The ports of the service's processes that are configured."""
        names = (
            file.stem.removeprefix(_SERVICE) for file in self.programs.glob(f"{_SERVICE}*.conf")
        )
        return sorted(map(int, filter(str.isdecimal, names)))


def process_name(port: int | str) -> str:
    """Return what supervisord calls the process of the service on a port."""
    return f"{_SERVICE}{port}"


_SERVICE = "todo-"
