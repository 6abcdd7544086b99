"""Users of embedded servers, as processes of their own, and what they leave in the directory."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pymongo
import pytest

from app.embedded import EmbeddedServersError, directory, join_servers

ROOT = Path(__file__).parents[1]
DEADLINE_SECONDS = 120.0
USER = """
import json, sys, time
from pathlib import Path
from app.embedded import EmbeddedServersError, join_servers

began = time.perf_counter()
data_dir, *needs = sys.argv[1:]
try:
    with join_servers(
        Path(data_dir), need_mongo="mongo" in needs, need_redis="redis" in needs
    ) as servers:
        seconds = time.perf_counter() - began
        told = {
            "mongo_uri": servers.mongo_uri,
            "redis_url": servers.redis_url,
            "description": servers.description,
        }
        print(json.dumps({**told, "seconds": seconds}), flush=True)
        sys.stdin.read()
except EmbeddedServersError as error:
    print(json.dumps({"error": str(error)}), flush=True)
"""


def eventually(condition: Callable[[], bool], what: str) -> None:
    give_up_at = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < give_up_at, f"in vain: {what}"
        time.sleep(0.01)


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until_gone(*processes: psutil.Process) -> None:
    eventually(lambda: all(map(is_gone, processes)), f"the end of {processes}")


@dataclass
class Running:
    keeper: psutil.Process
    mongod: psutil.Process
    redis_server: psutil.Process

    def all(self) -> tuple[psutil.Process, ...]:
        return self.keeper, self.mongod, self.redis_server


def running_in(data_dir: Path) -> Running:
    servers = json.loads((data_dir / "servers.json").read_text())
    mongod = psutil.Process(servers["mongod"]["pid"])
    return Running(
        psutil.Process(mongod.ppid()), mongod, psutil.Process(servers["redis-server"]["pid"])
    )


class User:
    """A process that uses the servers until it is told to leave, or killed."""

    def __init__(self, data_dir: Path, *needs: str, **environment: str) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(data_dir), *(needs or ("mongo", "redis"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **environment},
        )

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the user process ended without an answer"
        return dict(json.loads(line))

    def end(self, *, killed: bool = False) -> None:
        if killed:
            self.process.kill()
        self.process.communicate(timeout=DEADLINE_SECONDS)


def write_note(mongo_uri: str, note: str) -> None:
    with pymongo.MongoClient[dict[str, Any]](mongo_uri, serverSelectionTimeoutMS=20000) as client:
        client.get_default_database()["notes"].insert_one({"_id": note})


def read_notes(mongo_uri: str) -> list[str]:
    with pymongo.MongoClient[dict[str, Any]](mongo_uri, serverSelectionTimeoutMS=20000) as client:
        return [note["_id"] for note in client.get_default_database()["notes"].find()]


def sentence_of(data_dir: Path) -> str:
    with pytest.raises(EmbeddedServersError) as caught, join_servers(data_dir):
        pass
    assert str(caught.value).endswith(".")
    return str(caught.value)


def end_servers_below(parent: Path) -> None:
    """End what still runs in the data directories of a test, whose users have left.

    Killed, since a clean stop takes mongod a second; and frozen processes end that way, too.
    """
    for lock in parent.rglob("servers.lock"):
        eventually(partial(_kill_holders, lock), f"the end of {lock.parent}")


def _kill_holders(lock: Path) -> bool:
    """Return whether nobody holds the lock; whoever does is killed."""
    with lock.open() as opened:
        if directory.try_lock(opened.fileno()):
            return True
        # They were started by the test: nobody else knows the directory.
        for pid in directory.others_with_open(lock):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return False
