"""The keeper's mongod: a replica set of one, so that transactions and change streams work."""

import json
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app.embedded.binaries import MONGOD
from app.embedded.directory import MONGOD_SOCKET, others_with_open
from app.embedded.server import ANSWER_SECONDS, Server

REPLICA_SET = "todo"
OPLOG_MEGABYTES = 256
"""A day's changes of a busy service; the default is a share of the whole disk."""

CACHE_GIGABYTES = 1
"""A share of the machine a guest may take; the default is half of its memory."""

_MEMBER = f"./{MONGOD_SOCKET}"
"""The one member's address in the stored configuration: relative, so the directory can move."""

_ELECTION_POLL_SECONDS = 0.004
"""A server that is alone elects itself within some 20 ms."""

_LOG_TAIL_BYTES = 65536


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
        ]

    def ask_version(self) -> str | None:
        """Return the version once it takes writes; initiate the replica set if nobody has."""
        # Imported here because mongod starts up while it loads.
        from pymongo import MongoClient, timeout  # noqa: PLC0415
        from pymongo.errors import PyMongoError  # noqa: PLC0415

        try:
            # A client would wait half a second for a server that does not listen yet.
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_SECONDS)
                connection.connect(MONGOD_SOCKET)
        except OSError:
            return None
        uri = f"mongodb://{quote(_MEMBER, safe='')}/?directConnection=true"
        # Whatever goes wrong, the next call finds the server as it is then, or ended.
        with suppress(PyMongoError), timeout(ANSWER_SECONDS), MongoClient[Any](uri) as client:
            while not (hello := client.admin.command("hello"))["isWritablePrimary"]:
                if "setName" not in hello:
                    members = [{"_id": 0, "host": _MEMBER}]
                    replica_set = {"_id": REPLICA_SET, "members": members}
                    client.admin.command("replSetInitiate", replica_set)
                time.sleep(_ELECTION_POLL_SECONDS)
            return str(client.server_info()["version"])
        return None

    def explain_end(self, exit_code: int) -> str:
        """Say why it ended, with the last error in its log."""
        reason = _last_error(self.log_path)
        if "DBPathInUse" in reason:
            pids = ", ".join(map(str, others_with_open(self.data_path / "mongod.lock")))
            which = f" (pid {pids})" if pids else ""
            return (
                f"Another mongod{which} holds {self.data_path.absolute()}: "
                f"stop it, or give another --data-dir or a --mongo-uri."
            )
        sentence = super().explain_end(exit_code)
        return f"{sentence[:-1]} ({reason})." if reason else sentence


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
