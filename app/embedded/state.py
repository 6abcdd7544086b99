"""What the keeper tells the users of its servers: `servers.json`."""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from app.embedded.directory import open_lock, try_lock

_STATE = "servers.json"
_NEW_STATE = "servers.json.new"


@dataclass(frozen=True, slots=True)
class ServerState:
    """One server: ready when it has a version, in trouble when it has a problem, else starting."""

    pid: int | None = None
    version: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class KeeperState:
    """The keeper's process id, and the servers it was asked for, by name.

    There are no paths in it, so that the directory can be moved.
    """

    keeper_pid: int
    servers: Mapping[str, ServerState]


class StatePublisher:
    """Publishes the state of a keeper, which is true as long as its writer holds it locked.

    Each state is a new file, locked before it gets its name, and the one before is let go after.
    So a reader that finds a file locked has found a living keeper's, whatever a killed keeper left.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / _STATE
        self._new_path = data_dir / _NEW_STATE
        self._descriptor: int | None = None

    def publish(self, state: KeeperState) -> None:
        """Put the state in the place of the one before.

        Raises:
            OSError: the disk is full, or failing.
        """
        # A keeper killed on the next lines left one behind.
        self._new_path.unlink(missing_ok=True)
        descriptor = open_lock(self._new_path)
        try:
            try_lock(descriptor)
            os.write(descriptor, json.dumps(asdict(state)).encode())
            self._new_path.replace(self._path)
        except OSError:
            os.close(descriptor)
            raise
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = descriptor

    def withdraw(self) -> None:
        """Take the state away: the servers are gone."""
        self._path.unlink(missing_ok=True)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def read_state(data_dir: Path) -> KeeperState | None:
    """Return what the living keeper published last; None when there is no keeper, or not yet."""
    with contextlib.ExitStack() as opened:
        try:
            state_file = opened.enter_context((data_dir / _STATE).open("rb"))
        except FileNotFoundError:
            return None
        if try_lock(state_file.fileno(), shared=True):
            return None
        values = json.load(state_file)
    servers = {name: ServerState(**server) for name, server in values["servers"].items()}
    return KeeperState(keeper_pid=values["keeper_pid"], servers=servers)
