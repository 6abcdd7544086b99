"""Lays a node out and starts it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from app.embedded.binaries import MONGOD, REDIS_SERVER, find_binary
from app.node.layout import HOME, Layout, NodeError, process_name
from app.node.nginx import Ports, make_certificate, write_configuration
from app.node.replica_set import initiate
from app.node.rolling import Say, wait_until_ready
from app.node.supervisor import Supervisor

_MEMBERS = 3
_SUPERVISORD_SECONDS = 10.0
_POLL_SECONDS = 0.05
_LONGEST_SOCKET = 107
"""Bytes of the path of a Unix socket (unix(7))."""

_COPIED = ("supervisord.conf", "redis.conf", "mongod.conf", "programs/nginx.conf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What shall run on a node, and where."""

    processes: int
    nginx: Ports
    first_port: int
    first_mongo_port: int
    given_mongo_uri: str | None = None
    """Of a MongoDB elsewhere; without it the node has a replica set of its own."""

    given_redis_url: str | None = None
    """Of a Redis elsewhere; without it the node has its own."""

    @property
    def ports(self) -> Sequence[int]:
        """The ports of the service's processes."""
        return range(self.first_port, self.first_port + self.processes)

    @property
    def mongo_ports(self) -> Sequence[int]:
        """The ports of the members of the node's replica set."""
        if self.given_mongo_uri is not None:
            return ()
        return range(self.first_mongo_port, self.first_mongo_port + _MEMBERS)

    @property
    def mongo_uri(self) -> str:
        """Where the service finds its database."""
        if self.given_mongo_uri is not None:
            return self.given_mongo_uri
        members = ",".join(f"127.0.0.1:{port}" for port in self.mongo_ports)
        return f"mongodb://{members}/todo?replicaSet=todo"


def start(layout: Layout, plan: Plan, *, environment: Mapping[str, str], say: Say) -> None:
    """Write the node's configuration, start everything and return when all processes are ready.

    Args:
        layout: where the node is.
        plan: what shall run.
        environment: what the processes inherit.
        say: told what happens.

    Raises:
        NodeError: a program is missing, a port is taken, or something does not come up.
    """
    supervisor = Supervisor(layout.socket)
    if supervisor.is_running:
        raise NodeError(f"the node in {layout.folder} runs already: see run.py status")
    environment = _with_programs(environment)
    _check_ports(plan)
    lay_out(layout, plan)
    say(f"starting supervisord on {layout.supervisord}")
    _start_supervisord(layout, environment)
    _wait_for(supervisor, layout)
    if plan.mongo_ports:
        say("starting MongoDB: a replica set of three")
        initiate(plan.mongo_ports)
    for port in plan.ports:
        seconds = wait_until_ready(supervisor, port)
        say(f"{port}: ready after {seconds:.1f} s")


def lay_out(layout: Layout, plan: Plan) -> None:
    """Write the node's folder, all that is in its `conf` anew."""
    if len(os.fsencode(layout.socket)) > _LONGEST_SOCKET:
        raise NodeError(f"{layout.socket} is too long for a socket: choose another --node")
    if layout.conf.exists():
        shutil.rmtree(layout.conf)
    data = [layout.folder / f"mongo-{port}" for port in plan.mongo_ports]
    for folder in (layout.folder, layout.conf, layout.programs, layout.log, layout.run, *data):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in _COPIED:
        shutil.copyfile(HOME / "conf" / name, layout.conf / name)
    for port in plan.mongo_ports:
        write_program(layout, "mongod-PORT", port)
    for port in plan.ports:
        write_program(layout, process_name("PORT"), port)
    redis_url = plan.given_redis_url
    if redis_url is None:
        shutil.copyfile(HOME / "conf/programs/redis.conf", layout.programs / "redis.conf")
        redis_url = f"unix://{quote(str(layout.run))}/redis.sock"
    settings = (HOME / "conf/node.todo.conf").read_text(encoding="utf-8")
    addresses = f"mongo_uri = {plan.mongo_uri}\nredis_url = {redis_url}\n"
    (layout.conf / "todo.conf").write_text(settings + addresses, encoding="utf-8")
    write_configuration(layout.conf / "nginx", ports=plan.nginx, app_ports=plan.ports)
    make_certificate(layout.conf / "nginx")


def write_program(layout: Layout, template: str, port: int) -> None:
    """Write the configuration of a program that listens on a port."""
    text = (HOME / f"conf/programs/{template}.conf").read_text(encoding="utf-8")
    name = template.replace("PORT", str(port))
    (layout.programs / f"{name}.conf").write_text(text.replace("PORT", str(port)), encoding="utf-8")


def _with_programs(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return an environment on whose PATH all programs are."""
    folders = [str(Path(sys.executable).parent)]
    folders += [str(Path(find_binary(program)).parent) for program in (MONGOD, REDIS_SERVER)]
    path = os.pathsep.join([*folders, environment.get("PATH", ""), "/usr/sbin"])
    for name in ("nginx", "openssl"):
        if shutil.which(name, path=path) is None:
            raise NodeError(f"there is no {name} here: `apt-get install {name}` brings it")
    return {**environment, "PATH": path, "RELEASE_FOLDER": str(HOME)}


def _check_ports(plan: Plan) -> None:
    for port in (*plan.nginx, *plan.ports, *plan.mongo_ports):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise NodeError(f"port {port} cannot be used: {error.strerror}") from None


def _start_supervisord(layout: Layout, environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(layout.supervisord)]
    started = subprocess.run(  # noqa: S603 - ours.
        command, env=environment, check=False, capture_output=True, text=True
    )
    if started.returncode != 0:
        raise NodeError(f"supervisord does not start: {(started.stderr or started.stdout).strip()}")


def _wait_for(supervisor: Supervisor, layout: Layout) -> None:
    deadline = time.monotonic() + _SUPERVISORD_SECONDS
    while not supervisor.is_running:
        if time.monotonic() > deadline:
            raise NodeError(f"supervisord does not answer: see {layout.log / 'supervisord.log'}")
        time.sleep(_POLL_SECONDS)
