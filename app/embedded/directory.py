"""The data directory: the names in it, and the locks that tell who is alive.

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
import os
from pathlib import Path

from app.embedded.errors import EmbeddedServersError

USERS_LOCK = "users.lock"
KEEPER_LOCK = "keeper.lock"
SERVERS_LOCK = "servers.lock"
KEEPER_LOG = "keeper.log"
MONGOD_SOCKET = "mongod.sock"
REDIS_SOCKET = "redis.sock"

SOCKET_PATH_MAX_BYTES = 107
"""sockaddr_un.sun_path holds 108 bytes, the last of them a zero: unix(7)."""


def open_data_directory(path: Path) -> Path:
    """Make the data directory, private to its user, unless it is there; return its absolute path.

    Symbolic links are kept: a short link is the way around a path too long for a socket.

    Raises:
        EmbeddedServersError: the path is too long for the sockets in it.
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
    return path


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


def rotate_log(log: Path) -> None:
    """Put the log aside, in the place of the one put aside before."""
    if log.exists():
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
