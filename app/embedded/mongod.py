"""The keeper's mongod: a replica set of one, so that transactions and change streams work."""

import json
import logging
import os
import signal
import socket
import struct
from pathlib import Path
from typing import Any

from app.embedded.binaries import MONGOD
from app.embedded.directory import MONGOD_SOCKET, others_with_open
from app.embedded.server import Server

REPLICA_SET = "todo"
OPLOG_MEGABYTES = 256
"""A day's changes of a busy service; the default is a share of the whole disk."""

CACHE_GIGABYTES = 1
"""A share of the machine a guest may take; the default is half of its memory."""

_MEMBER = f"./{MONGOD_SOCKET}"
"""The one member's address in the stored configuration: relative, so the directory can move."""

_ALREADY_INITIALIZED = 23
"""Error code: a start long ago, or the one just cut off, has initiated the replica set."""

_ANSWER_SECONDS = 5.0
"""The slowest command is replSetInitiate, 30 ms on an idle disk; this bounds a stalled one."""

_LOG_TAIL_BYTES = 65536

log = logging.getLogger("keeper")


class Mongod(Server):
    """A mongod on a Unix socket, without a port."""

    program = MONGOD
    log_path = Path("mongod.log")
    data_path = Path("mongo")

    def arguments(self) -> list[str]:
        """Return mongod's command line."""
        self.data_path.mkdir(mode=0o700, exist_ok=True)
        return [
            *("--dbpath", str(self.data_path)),
            *("--bind_ip", _MEMBER),
            *("--port", "27017"),
            # Without it there is a second socket, /tmp/mongodb-27017.sock, and whoever starts
            # last takes it from everybody else on the machine.
            "--nounixsocket",
            *("--replSet", REPLICA_SET),
            *("--oplogSize", str(OPLOG_MEGABYTES)),
            *("--wiredTigerCacheSizeGB", str(CACHE_GIGABYTES)),
            # SECURITY: no zlib, CVE-2025-14847.
            *("--networkMessageCompressors", "snappy,zstd"),
            "--noscripting",
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            "--quiet",
            *("--logpath", str(self.log_path)),
            *("--logappend", "--logRotate", "reopen"),
        ]

    def ask_version(self) -> str | None:
        """Return the version once it takes writes; initiate the replica set if nobody has."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_ANSWER_SECONDS)
                connection.connect(MONGOD_SOCKET)
                hello = _run_command(connection, {"hello": 1})
                if hello.get("isWritablePrimary"):
                    return str(_run_command(connection, {"buildInfo": 1})["version"])
                if "setName" not in hello:
                    _initiate(connection)
        except OSError:
            pass
        return None

    def reopen_log(self, pid: int) -> None:
        """Send SIGUSR1, which is mongod's for that."""
        os.kill(pid, signal.SIGUSR1)

    def explain_end(self, exit_code: int) -> str:
        """Say why it ended, with the last error in its log."""
        reason = _last_error(self.log_path)
        if "DBPathInUse" in reason:
            pids = ", ".join(map(str, others_with_open(self.data_path / "mongod.lock")))
            which = f" (pid {pids})" if pids else ""
            return (
                f"Another mongod{which} holds {Path.cwd() / self.data_path}: "
                f"stop it, or give another --data-dir or a --mongo-uri."
            )
        sentence = super().explain_end(exit_code)
        return f"{sentence[:-1]} ({reason})." if reason else sentence


def _initiate(connection: socket.socket) -> None:
    members = [{"_id": 0, "host": _MEMBER}]
    reply = _run_command(connection, {"replSetInitiate": {"_id": REPLICA_SET, "members": members}})
    if not reply["ok"] and reply["code"] != _ALREADY_INITIALIZED:
        log.error("replSetInitiate: %s", reply["errmsg"])


def _run_command(connection: socket.socket, command: dict[str, Any]) -> dict[str, Any]:
    """Send one command to the admin database and return the reply, an error's too.

    MongoDB Wire Protocol, OP_MSG. A MongoClient would do, but for its threads: the keeper forks,
    and must not with others about.

    Raises:
        OSError: the connection failed, ended or fell silent.
    """
    # Imported here because mongod starts up while it loads.
    import bson  # noqa: PLC0415

    body = struct.pack("<Ix", 0) + bson.encode({**command, "$db": "admin"})
    connection.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, 2013) + body)
    (reply_bytes,) = struct.unpack("<i", _receive(connection, 4))
    reply = _receive(connection, reply_bytes - 4)
    return dict(bson.decode(reply[17:]))


def _receive(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        chunk = connection.recv(count - len(received))
        if not chunk:
            raise ConnectionError("the connection ended")
        received += chunk
    return received


def _last_error(log_path: Path) -> str:
    """Return the text of the last error in a mongod log, which is JSON lines; empty if none."""
    try:
        with log_path.open("rb") as lines:
            lines.seek(max(0, log_path.stat().st_size - _LOG_TAIL_BYTES))
            tail = lines.read().splitlines()
    except OSError:
        return ""
    for line in reversed(tail):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry.get("s") in {"E", "F"}:
            return str(entry.get("attr", {}).get("error") or entry.get("msg"))
    return ""
