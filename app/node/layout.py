"""Where a node's files are."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.embedded.directory import user_name
from app.program import NAME


class NodeError(Exception):
    """A node cannot do what was asked; the text is a sentence for the person who asked."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folder of a node: its configuration, and what its processes write."""

    folder: Path

    @property
    def conf(self) -> Path:
        """What the programs read."""
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
    def settings(self) -> Path:
        """The settings of the service's processes."""
        return self.conf / "todo.conf"

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
        """The ports of the service's processes that are configured.

        Raises:
            NodeError: there are none.
        """
        ports = self._ports_of(_SERVICE)
        if not ports:
            raise NodeError(f"no process of the service is configured in {self.programs}")
        return ports

    @property
    def mongo_ports(self) -> list[int]:
        """The ports of the members of MongoDB that are configured; none where it is elsewhere."""
        return self._ports_of(_MEMBER)

    def mongo_data(self, port: int) -> Path:
        """Where the member of MongoDB on a port keeps its data."""
        return self.folder / f"mongo-{port}"

    def _ports_of(self, prefix: str) -> list[int]:
        names = (file.stem.removeprefix(prefix) for file in self.programs.glob(f"{prefix}*.conf"))
        return sorted(map(int, filter(str.isdecimal, names)))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands from this node until the block is left.

        Raises:
            NodeError: one is at work, the node is somebody else's, or there is none.
        """
        self.require_own()
        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise NodeError(f"another command works on the node in {self.folder}") from None
            yield

    def require_own(self) -> None:
        """Raise `NodeError` if there is no node, or if it is another user's."""
        if not self.folder.is_dir():
            raise NodeError(f"there is no node in {self.folder}")
        owner = self.folder.stat().st_uid
        if owner != os.geteuid():
            # Also for root, who could: what root writes, the node's programs could not read.
            name = user_name(owner)
            raise NodeError(f"the node in {self.folder} is {name}'s: sudo -u {name} {NAME} ...")

    def pids(self) -> list[int]:
        """Return the node's programs that run, whoever started them."""
        return sorted(
            int(process.name) for process in Path("/proc").glob("[0-9]*") if self._has(process)
        )

    def _has(self, process: Path) -> bool:
        try:
            if (process / "cwd").readlink() != self.folder:
                return False
            arguments = (process / "cmdline").read_bytes()
            name = (process / "comm").read_text().strip()
        except OSError:  # It has ended, or is another user's.
            return False
        return name in _SERVERS or _SERVICE_ARGUMENT in arguments


def process_name(port: int | str) -> str:
    """Return what supervisord calls the process of the service on a port."""
    return f"{_SERVICE}{port}"


def member_name(port: int | str) -> str:
    """Return what supervisord calls the member of MongoDB on a port."""
    return f"{_MEMBER}{port}"


_SERVICE = "todo-"
_MEMBER = "mongod-"
_SERVERS = ("nginx", "mongod", "redis-server")
_SERVICE_ARGUMENT = b"--config=conf/todo.conf"
