"""The nodes on which `tests/faults.py` does its faults; see `fault_rows`."""

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote

import psutil
from faulty_proxy import FaultyProxy, Weather
from freshness_stack import RedisProgram
from node_faults import MEMBERS, Patient
from nodes import Node
from pymongo import MongoClient
from service import ROOT

from app.embedded import join_servers
from app.node.layout import Layout
from app.node.supervisor import Supervisor

_MEMBER_DISK = "600m"
"""For a member of MongoDB, which takes some 300 MB at first."""

LOG = "log"
"""The disk under the logs."""

_LOG_DISK = "100m"
_CHUNK = bytes(1 << 20)
_FILL_EVERY_SECONDS = 0.05

Setup = Callable[[Path], AbstractContextManager[Patient]]
"""Runs a node in an empty folder until the block is left."""


@contextmanager
def plain(folder: Path) -> Iterator[Patient]:
    """Run a node as `run.py up` makes it."""
    with _up(Node.choose(folder / "node")) as node:
        yield Patient(node)


@contextmanager
def with_mongodbs_own_elections(folder: Path) -> Iterator[Patient]:
    """Run a node whose replica set has MongoDB's own settings, which are for networks."""
    with plain(folder) as patient, MongoClient[dict[str, Any]](patient.mongo_uri) as client:
        configuration = client.admin.command("replSetGetConfig")["config"]
        configuration["version"] += 1
        configuration["settings"].update(
            electionTimeoutMillis=10_000,
            heartbeatIntervalMillis=2000,
            heartbeatTimeoutSecs=10,
            catchUpTimeoutMillis=-1,
        )
        client.admin.command("replSetReconfig", configuration)
        yield patient


@contextmanager
def _up(node: Node, *flags: str) -> Iterator[Node]:
    try:
        node.up(*flags)
        yield node
    finally:
        node.run("down", check=False)


class BehindProxies(Patient):
    """A node that reaches MongoDB and Redis through proxies."""

    def __init__(
        self, node: Node, mongo_uri: str, redis_socket: Path, mongo: FaultyProxy, redis: FaultyProxy
    ) -> None:
        super().__init__(node, mongo_uri, redis_socket)
        self._proxies = {"MongoDB": mongo, "Redis": redis}

    def set_weather(self, server: str, weather: Weather) -> None:
        """Change how a server is reached."""
        self._proxies[server].set(weather)

    def touched(self, server: str) -> int:
        """Return of how much the weather has taken hold; see `FaultyProxy.touched`."""
        return self._proxies[server].touched


@contextmanager
def behind_proxies(folder: Path) -> Iterator[Patient]:
    """Run a node with a MongoDB and a Redis behind proxies."""
    with ExitStack() as held:
        servers = held.enter_context(join_servers(folder / "servers", need_redis=False))
        mongo_socket = unquote(servers.mongo_uri.removeprefix("mongodb://").partition("/")[0])
        redis = RedisProgram(folder)
        held.callback(redis.stop)
        redis.start()
        redis.wait()
        redis_socket = folder / "redis.sock"
        proxies = [_proxy(held, path) for path in (mongo_socket, str(redis_socket))]
        node = held.enter_context(
            _up(
                Node.choose(folder / "node"),
                f"--mongo-uri=mongodb://127.0.0.1:{proxies[0].port}/todo?directConnection=true",
                f"--redis-url=redis://127.0.0.1:{proxies[1].port}/0",
            )
        )
        yield BehindProxies(node, servers.mongo_uri, redis_socket, *proxies)


def _proxy(held: ExitStack, path: str) -> FaultyProxy:
    proxy = FaultyProxy(lambda: asyncio.open_unix_connection(path))
    proxy.start()
    held.callback(proxy.stop)
    return proxy


class OnSmallDisks(Patient):
    """A node with a disk for each member of MongoDB, named after it, and one for the logs."""

    def __init__(self, node: Node, disks: Path) -> None:
        super().__init__(node)
        self._disks = disks

    @contextmanager
    def full(self, disks: Sequence[str]) -> Iterator[None]:
        """Keep disks full until the block is left."""
        must_end = Event()
        with ExitStack() as held:
            for disk in disks:
                filler = self._disks / disk / "filler"
                held.callback(filler.unlink)
                thread = Thread(target=_keep_full, args=(filler, must_end))
                thread.start()
                held.callback(thread.join)
            held.callback(must_end.set)
            yield

    def is_full(self, disk: str) -> bool:
        """Tell whether a disk has no byte left."""
        return psutil.disk_usage(str(self._disks / disk)).free == 0


def _keep_full(filler: Path, must_end: Event) -> None:
    # A member of MongoDB that ends leaves room, in which it could live for another while.
    descriptor = os.open(filler, os.O_CREAT | os.O_WRONLY)
    try:
        while not must_end.wait(_FILL_EVERY_SECONDS):
            for size in (len(_CHUNK), 4096, 1):
                _write_until_full(descriptor, _CHUNK[:size])
    finally:
        os.close(descriptor)


def _write_until_full(descriptor: int, data: bytes) -> None:
    try:
        while True:
            os.write(descriptor, data)
    except OSError:
        return


@contextmanager
def on_small_disks(folder: Path) -> Iterator[Patient]:
    """Run a node whose data and logs are on disks that can be filled; needs to be root."""
    node = Node.choose(folder / "node")
    disks = folder / "disks"
    layout = Layout(node.folder)
    layout.folder.mkdir(mode=0o700)
    places = {
        f"mongod-{port}": (layout.folder / f"mongo-{port}", _MEMBER_DISK)
        for port in range(node.first_mongo_port, node.first_mongo_port + MEMBERS)
    }
    places[LOG] = (layout.log, _LOG_DISK)
    with ExitStack() as held:
        for name, (place, size) in places.items():
            (disks / name).mkdir(parents=True)
            held.enter_context(_mounted(disks / name, size))
            place.symlink_to(disks / name)
        yield OnSmallDisks(held.enter_context(_up(node)), disks)


@contextmanager
def _mounted(folder: Path, size: str) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def with_a_shifting_clock(folder: Path) -> Iterator[Patient]:
    """Run a node whose first process has a clock that jumps; see `clock_shifting_service`."""
    with _up(Node.choose(folder / "node")) as node:
        layout = Layout(node.folder)
        supervisor = Supervisor(layout.socket)
        name = f"todo-{node.ports[0]}"
        program = layout.programs / f"{name}.conf"
        text = program.read_text(encoding="utf-8")
        command = '"%(ENV_RELEASE_FOLDER)s/run.py"'
        assert command in text
        supervisor.stop(name)
        supervisor.remove(name)
        script = f'"{ROOT / "tests/clock_shifting_service.py"}"'
        program.write_text(text.replace(command, script), encoding="utf-8")
        supervisor.add(name)
        patient = Patient(node)
        patient.wait_until_well()
        yield patient
