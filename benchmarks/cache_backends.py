"""The MongoDB and Redis that all systems of ``benchmarks.cache`` share, and their todos."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient
from redis import Redis

from app.embedded import EmbeddedServersError, join_servers
from benchmarks.http_machine import ROOT, BenchmarkError
from benchmarks.peers import todo_page

OUR_DATABASE = "todo"
WRITTEN = "Write down what the benchmark found"
"""The content of every todo that a load stores, by which they are found and removed."""

RANDOM_SEED = 4
_STOP_SECONDS = 20.0
_ASKING = {"info", "ping", "config", "hello", "client", "command"}
"""Commands of clients that connect and of this benchmark, which answer no request."""


@dataclass(frozen=True)
class Backends:
    """Where the servers are, and what can be asked of them from outside."""

    mongo_uri: str
    """Of our service's database."""

    redis_url: str
    mongo: MongoClient[dict[str, Any]]
    redis: Redis
    processes: tuple[psutil.Process, ...]

    @property
    def todos(self) -> Any:
        """Our service's collection."""
        return self.mongo[OUR_DATABASE][todo_page.COLLECTION]

    @property
    def peers_todos(self) -> Any:
        """The peers' collection, which holds the same todos."""
        return self.mongo[todo_page.DATABASE][todo_page.COLLECTION]

    def seed(self, count: int) -> None:
        """Store todos for us and the same for the peers, each with their indexes.

        Raises:
            BenchmarkError: that failed.
        """
        command = [sys.executable, "run.py", "seed", f"--count={count}"]
        command += [f"--random-seed={RANDOM_SEED}", f"--mongo-uri={self.mongo_uri}"]
        seeding = subprocess.run(  # noqa: S603 - ours.
            command, cwd=ROOT, check=False, capture_output=True, text=True
        )
        if seeding.returncode != 0:
            raise BenchmarkError(f"the seeding failed: {seeding.stderr[-500:]}")
        into = {"db": todo_page.DATABASE, "coll": todo_page.COLLECTION}
        self.todos.aggregate([{"$out": into}])
        self.peers_todos.create_index(todo_page.NEWEST_FIRST)

    def restore(self) -> None:
        """Remove what a load has written, with everything cached; no system may be running."""
        for todos in (self.todos, self.peers_todos):
            todos.delete_many({"content": WRITTEN})
        self.redis.delete(todo_page.PAGES)
        # Our service was not told of the removals: without a stamp, nothing kept is used.
        for stamp in self.redis.scan_iter(match="*:s:*", count=1000):
            self.redis.delete(stamp)

    def redis_commands(self) -> int:
        """Return how many commands Redis has carried out for the systems."""
        statistics: dict[str, dict[str, int]] = self.redis.info("commandstats")
        return sum(
            entry["calls"]
            for name, entry in statistics.items()
            if name.removeprefix("cmdstat_").partition("|")[0] not in _ASKING
        )

    def cpu_seconds(self) -> float:
        """Return the time that both servers have computed."""
        return sum(sum(process.cpu_times()[:2]) for process in self.processes)

    def versions(self) -> dict[str, str]:
        """Return the servers' versions."""
        return {
            "mongod": self.mongo.server_info()["version"],
            "redis-server": self.redis.info("server")["redis_version"],
        }


@contextmanager
def running_backends(folder: Path) -> Iterator[Backends]:
    """Run MongoDB and Redis, without todos, on the CPUs of this process until the block is left.

    Raises:
        BenchmarkError: they cannot be had.
    """
    processes: tuple[psutil.Process, ...] = ()
    try:
        # The replica set of one that the service itself starts; everybody on Unix sockets.
        with (
            join_servers(folder) as servers,
            MongoClient[dict[str, Any]](servers.mongo_uri) as mongo,
            Redis.from_url(servers.redis_url) as redis,
        ):
            # What the peers are told; our service gets flags.
            os.environ[todo_page.MONGO_URI_VARIABLE] = servers.mongo_uri
            os.environ[todo_page.REDIS_URL_VARIABLE] = servers.redis_url
            mongod = mongo.admin.command("serverStatus")["pid"]
            redis_server = redis.info("server")["process_id"]
            processes = (psutil.Process(mongod), psutil.Process(redis_server))
            yield Backends(servers.mongo_uri, servers.redis_url, mongo, redis, processes)
    except EmbeddedServersError as error:
        raise BenchmarkError(str(error)) from error
    finally:
        # They write into the folder until they have ended.
        psutil.wait_procs(processes, timeout=_STOP_SECONDS)
