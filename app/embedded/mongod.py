"""The keeper's mongod: a replica set of one, so that transactions and change streams work."""

import json
import re
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app.embedded.binaries import MONGOD
from app.embedded.directory import MONGOD_SOCKET, others_with_open
from app.embedded.server import ANSWER_SECONDS, Server, how_it_ended

REPLICA_SET = "todo"
OPLOG_MEGABYTES = 256
"""A day's changes of a busy service; the default is a share of the whole disk."""

CACHE_GIGABYTES = 1
"""A share of the machine a guest may take; the default is half of its memory."""

_MEMBER = f"./{MONGOD_SOCKET}"
"""The one member's address in the stored configuration: relative, so the directory can move."""

_ELECTION_POLL_SECONDS = 0.004
"""A server that is alone elects itself within some 20 ms."""

_LOG_BYTES = 1 << 20
"""Of the log that are looked through; a start that fails has some ten thousand."""

_PLACE_IN_CODE = re.compile(r"^__\w+:\d+:")

_SELECTION_MILLISECONDS = 500
"""For the driver to ask a server that listens again: one that has ended shall not be waited for."""


class Mongod(Server):
    """A mongod on a Unix socket, without a port."""

    program = MONGOD
    log_path = Path("mongod.log")
    reopen_signal = signal.SIGUSR1
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
            # At SIGUSR1 it opens this path again, where there is a new file by then; that needs the
            # other flag (mongodb.com/docs/manual/tutorial/rotate-log-files).
            *("--logRotate", "reopen", "--logappend"),
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
        with (
            suppress(PyMongoError),
            timeout(ANSWER_SECONDS),
            MongoClient[Any](uri, serverSelectionTimeoutMS=_SELECTION_MILLISECONDS) as client,
        ):
            while not (hello := client.admin.command("hello"))["isWritablePrimary"]:
                if "setName" not in hello:
                    members = [{"_id": 0, "host": _MEMBER}]
                    replica_set = {"_id": REPLICA_SET, "members": members}
                    client.admin.command("replSetInitiate", replica_set)
                time.sleep(_ELECTION_POLL_SECONDS)
            return str(client.server_info()["version"])
        return None

    def explain_end(self, exit_code: int) -> str:
        """Say why it ended, with the first error in its log: those that follow come of it."""
        if exit_code == -signal.SIGILL:
            return (
                f"mongod {how_it_ended(exit_code)}: this processor lacks what it "
                "needs, as AVX for MongoDB 5.0 and newer; put an older one on PATH, or give a "
                "--mongo-uri."
            )
        reason = _first_error(self.log_path)
        if "DBPathInUse" in reason:
            pids = ", ".join(map(str, others_with_open(self.data_path / "mongod.lock")))
            which = f" (pid {pids})" if pids else ""
            return (
                f"Another mongod{which} holds {self.data_path.absolute()}: "
                f"stop it, or give another --data-dir or a --mongo-uri."
            )
        sentence = super().explain_end(exit_code)
        return f"{sentence[:-1]} ({reason})." if reason else sentence


def has_data(data_path: Path) -> bool:
    """Say whether a mongod has kept anything in its folder."""
    return (data_path / "WiredTiger").exists()


def _first_error(log_path: Path) -> str:
    """Return the text of the first error in a mongod log, which is JSON lines; empty if none."""
    try:
        with log_path.open("rb") as lines:
            told = lines.read(_LOG_BYTES).splitlines()
    except OSError:
        return ""
    for line in told:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry.get("s") in {"E", "F"}:
            return _text_of(entry)
    return ""


def _text_of(entry: dict[str, Any]) -> str:
    attributes = entry.get("attr", {})
    told = attributes.get("message")
    if isinstance(told, dict):  # WiredTiger's; its own place in the code tells users nothing.
        where = _PLACE_IN_CODE.sub("", str(told.get("msg")))
        return f"{where}: {told.get('error_str')}"
    error = attributes.get("error") or attributes.get("reason")
    if isinstance(error, dict):
        error = error.get("errmsg")
    return str(error or entry.get("msg")).strip()
