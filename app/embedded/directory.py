"""The data directory: the names in it, the locks that tell who is alive, and the servers' state.

Every lock is a flock(2). It belongs to an open file and not to a process, so that it can be handed
to a child, and the kernel drops it when the last process that has the file open dies, however it
dies. Nothing here ever needs a stale lock removed.

users.lock    shared by every user process; the keeper takes it exclusively when there is none left
keeper.lock   exclusive, by the one keeper; its starter takes it and hands it over
servers.lock  exclusive, by the keeper and the servers it started, until the last of them is gone
servers.json  exclusive, by the keeper that wrote this very file
"""

import errno
import fcntl
import json
import os
import pwd
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

USERS_LOCK = "users.lock"
KEEPER_LOCK = "keeper.lock"
SERVERS_LOCK = "servers.lock"
STATE = "servers.json"
KEEPER_LOG = "keeper.log"
MONGOD_SOCKET = "mongod.sock"
REDIS_SOCKET = "redis.sock"

SOCKET_PATH_MAX_BYTES = 107
"""sockaddr_un.sun_path holds 108 bytes, the last of them a zero: unix(7)."""


class EmbeddedServersError(Exception):
    """The embedded servers cannot be had; the text is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """One server: ready when it has a version, in trouble when it has a problem, else starting."""

    pid: int | None = None
    version: str | None = None
    problem: str | None = None


def open_data_directory(path: Path) -> Path:
    """Make the data directory, private to its user, unless it is there; return its absolute path.

    Symbolic links are kept: a short link is the way around a path too long for a socket.

    Raises:
        EmbeddedServersError: the path is too long for the sockets in it, or another user's.
        OSError: it cannot be made.
    """
    path = path.absolute()
    longest_bytes = len(os.fsencode(path / MONGOD_SOCKET))
    if longest_bytes > SOCKET_PATH_MAX_BYTES:
        raise EmbeddedServersError(
            f"The data directory {path} has too long a path for the Unix sockets in it: give a "
            f"--data-dir at least {longest_bytes - SOCKET_PATH_MAX_BYTES} bytes shorter."
        )
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from error
    owner = path.stat().st_uid
    if owner != os.geteuid():
        # Also for root, who could: what root writes, its owner could not read any more.
        raise EmbeddedServersError(
            f"The data directory {path} is {user_name(owner)}'s: run this as {user_name(owner)}, "
            f"or give another --data-dir."
        )
    return path


def user_name(user: int) -> str:
    """Return what people call a user id."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def open_lock(path: Path) -> int:
    """Return a new descriptor of the lock file, made if need be; a child does not inherit it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock of an open file unless another holds it; say whether it was taken."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def publish_state(data_dir: Path, servers: Mapping[str, ServerState]) -> int:
    """Put the state of the servers, by name, in the place of the one before.

    Each state is a new file, locked before it gets its name. So a reader that finds a file locked
    has found a living keeper's, whatever a killed keeper left. There are no paths in it, so that
    the directory can be moved.

    Returns:
        The descriptor of the file; the state is true until it is closed.

    Raises:
        OSError: the disk is full, or failing.
    """
    new = data_dir / f"{STATE}.new"
    # A keeper killed on the next lines left one behind.
    new.unlink(missing_ok=True)
    descriptor = open_lock(new)
    try:
        try_lock(descriptor)
        state = {name: asdict(server) for name, server in servers.items()}
        os.write(descriptor, json.dumps(state).encode())
        new.replace(data_dir / STATE)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def read_state(data_dir: Path) -> dict[str, ServerState] | None:
    """Return what the living keeper published last; None when there is no keeper, or not yet."""
    try:
        state_file = (data_dir / STATE).open("rb")
    except FileNotFoundError:
        return None
    with state_file:
        if try_lock(state_file.fileno(), shared=True):
            return None
        return {name: ServerState(**server) for name, server in json.load(state_file).items()}


def is_in_place(descriptor: int, path: Path) -> bool:
    """Say whether an open file still has this path: it has not been removed or moved."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError as error:
        # All else tells nothing of the file: a network's disk that does not answer, say.
        return error.errno not in (errno.ENOENT, errno.ENOTDIR)


def rotate_log(log: Path) -> None:
    """Put the log aside, in the place of the one put aside before."""
    with suppress(FileNotFoundError):
        log.replace(log.with_name(f"{log.name}.1"))


def others_with_open(path: Path) -> list[int]:
    """Return the ids of the other processes that have the file open: proc_pid_fd(5), Linux only."""
    pids = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.samefile(path):
                pids.add(int(link.parts[2]))
        except OSError:
            # It has just been closed, or is another user's.
            continue
    return sorted(pids - {os.getpid()})
