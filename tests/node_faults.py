"""What can happen to a node that runs, and how to see that it is well again."""

import json
import operator
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any
from urllib.request import Request, urlopen

import psutil
from nodes import Node
from pymongo import MongoClient, timeout
from pymongo.errors import PyMongoError
from redis import Redis

from app.node.layout import Layout, member_name
from app.node.replica_set import roles
from app.node.rolling import is_ready
from app.node.supervisor import Supervisor

_POLL_SECONDS = 0.1
"""What is asked works for the answer: supervisord, and a new client of MongoDB for each member."""

_WELL_SECONDS = 300.0
_ANSWER_SECONDS = 2.0
_CLIENT_SECONDS = 60.0
MEMBERS = 3
_HITS = re.compile(
    r'^todo_cache_requests_total\{level="answers",outcome="hit"\} (\S+)$', re.MULTILINE
)


class Patient:
    """A node to which things are done.

    Args:
        node: the node; it runs.
        mongo_uri: of its database, where that is not its own replica set.
        redis_socket: of its Redis, where that is not its own.
    """

    def __init__(
        self, node: Node, mongo_uri: str | None = None, redis_socket: Path | None = None
    ) -> None:
        self.node = node
        self.random = Random(0)
        """Draws what is done to it."""
        self._layout = Layout(node.folder)
        self._supervisor = Supervisor(self._layout.socket)
        self._redis_socket = redis_socket or self._layout.run / "redis.sock"
        self.members = [member_name(port) for port in self._mongo_ports]
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._mongo_ports)
        self.has_own_mongo = mongo_uri is None
        self.mongo_uri = mongo_uri or f"mongodb://{hosts}/todo?replicaSet=todo"

    @property
    def ports(self) -> list[int]:
        """Where clients ask: nginx."""
        return [self.node.port]

    @property
    def folder(self) -> Path:
        """Where histories are kept."""
        return self.node.folder.parent

    @property
    def services(self) -> list[str]:
        """The processes of the service, by name."""
        return [f"todo-{port}" for port in self.node.ports]

    @property
    def _mongo_ports(self) -> range:
        return range(self.node.first_mongo_port, self.node.first_mongo_port + MEMBERS)

    def pid(self, name: str) -> int:
        """Return the process that a program has now, and wait until it has one."""
        return wait_for(lambda: self._supervisor.process(name).pid, f"{name} runs")

    def descriptors(self) -> int:
        """Return how many files and connections the service's processes have open, all together."""
        return sum(psutil.Process(self.pid(name)).num_fds() for name in self.services)

    def kill(self, name: str, *, with_children: bool = False) -> None:
        """End a program without warning; return when another process has taken its place.

        Args:
            name: the program.
            with_children: end what it has started, too.
        """
        pid = self.pid(name)
        children = self.children(name) if with_children else set()
        for doomed in (pid, *children):
            with suppress(ProcessLookupError):
                os.kill(doomed, signal.SIGKILL)
        wait_for(lambda: self.pid(name) != pid, f"{name} is started again")

    def children(self, name: str) -> set[int]:
        """Return the process ids of what a program has started."""
        return {process.pid for process in psutil.Process(self.pid(name)).children()}

    @contextmanager
    def paused(self, name: str, seconds: float) -> Iterator[None]:
        """Stop a program where it is for some seconds, and for as long as the block lasts."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
            assert psutil.Process(pid).status() == psutil.STATUS_STOPPED, f"{name} goes on"
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def signal(self, name: str, number: str) -> None:
        """Send a program a signal."""
        self._supervisor.signal(name, number)

    def flush_redis(self) -> None:
        """Let Redis forget everything."""
        with Redis(unix_socket_path=str(self._redis_socket)) as client:
            client.flushall()

    def forget_all(self) -> None:
        """Remove all todos, while nobody else asks for any."""
        # As a client does: an emptied Redis would give no stamps for some seconds.
        wait_for(self._has_forgotten_all, "there are no todos")

    def _has_forgotten_all(self) -> bool:
        address = f"http://127.0.0.1:{self.node.port}/v1/todos"
        with suppress(OSError):
            with urlopen(f"{address}?limit=100", timeout=_CLIENT_SECONDS) as answer:
                ids = [todo["id"] for todo in json.load(answer)["items"]]
            for todo_id in ids:
                request = Request(f"{address}/{todo_id}", method="DELETE")
                urlopen(request, timeout=_CLIENT_SECONDS).close()
            return not ids
        return False

    def primary(self) -> str:
        """Return the member that is the primary now, and wait until there is one."""
        return wait_for(self._find_primary, "there is a primary")

    def _find_primary(self) -> str | None:
        told = roles(self._mongo_ports)
        return next((member_name(port) for port in told if told[port] == "primary"), None)

    def stores(self) -> bool:
        """Tell whether MongoDB takes a write, journaled by most members."""
        with suppress(PyMongoError), timeout(_ANSWER_SECONDS):
            with MongoClient[dict[str, Any]](self.mongo_uri, w="majority", journal=True) as client:
                client["probe"]["probes"].insert_one({})
            return True
        return False

    def wait_until_caches_are_used(self) -> None:
        """Return when every process of the service has answered from its cache once more."""
        before = [hits(port) for port in self.node.ports]
        wait_for(
            lambda: all(map(operator.gt, map(hits, self.node.ports), before)),
            "all processes answer from their caches",
        )

    def wait_until_well(self) -> None:
        """Return when all programs run, all processes are ready and all members follow."""
        wait_for(self._is_well, "all is well")

    def _is_well(self) -> bool:
        states = {process.state for process in self._supervisor.processes()}
        return (
            states == {"RUNNING"}
            and all(map(is_ready, self.node.ports))
            and (not self.has_own_mongo or self._members_are_well())
        )

    def _members_are_well(self) -> bool:
        told = list(roles(self._mongo_ports).values())
        return None not in told and told.count("primary") == 1


def wait_for(what: Callable[[], Any], words: str) -> Any:
    """Return the first true value that a function returns."""
    deadline = time.monotonic() + _WELL_SECONDS
    while not (found := what()):
        assert time.monotonic() < deadline, f"in vain for {_WELL_SECONDS:g} s: {words}"
        time.sleep(_POLL_SECONDS)
    return found


def hits(port: int) -> int:
    """Return how many answers a process of the service has given from its cache."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_CLIENT_SECONDS) as answer:
        found = _HITS.search(answer.read().decode())
    return round(float(found[1])) if found else 0
