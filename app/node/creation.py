"""Lays a node out and starts it."""

import http.client
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from app.embedded import room
from app.embedded.binaries import MONGOD, REDIS_SERVER, find_binary
from app.embedded.mongod import has_data
from app.node.cores import MOST_PROCESSES
from app.node.layout import Layout, NodeError, member_name, process_name
from app.node.nginx import Ports, make_certificate, write_configuration
from app.node.ports import choose, require_usable
from app.node.replica_set import initiate
from app.node.rolling import Logged, Say, last_lines, sizes_of, wait_until_ready
from app.node.stopping import stop
from app.node.supervisor import Supervisor
from app.program import CONF, IS_CLONE, NAME, RELEASE

_MEMBERS = 3

PORTS = {
    "port": 8080,
    "tls_port": 8443,
    "redirect_port": 8081,
    "first_port": 8001,
    "first_mongo_port": 27101,
}
"""Where a node listens unless it is told; each row of ports by its first."""

_SUPERVISORD_SECONDS = 10.0
_RUNNING_SECONDS = 30.0
_POLL_SECONDS = 0.1
_LONGEST_SOCKET = 107
"""Bytes of the path of a Unix socket (unix(7))."""

_SPECIAL = re.compile(r"[%\[\]*?]")
"""What supervisord reads as a pattern or as a variable."""

_RUN = '"%(ENV_RELEASE_FOLDER)s/run.py"'
"""How Python is told to run the service from a clone; a wheel has no run.py."""

_MARK = "# Written by run.py up, which writes it anew each time.\n"
_COPIED = (
    *("supervisord.conf", "redis.conf", "mongod.conf", "start-nginx"),
    "programs/nginx.conf",
)


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

    def by_flag(self) -> Mapping[str, int]:
        """Return all ports by the flags that name them."""
        return {
            "--port": self.nginx.http,
            "--tls-port": self.nginx.tls,
            "--redirect-port": self.nginx.redirect,
            **{_numbered("--first-port", at): port for at, port in enumerate(self.ports)},
            **{
                _numbered("--first-mongo-port", at): port
                for at, port in enumerate(self.mongo_ports)
            },
        }


def chosen_ports(given: Mapping[str, int | None]) -> Mapping[str, int]:
    """Return a port for each name of `PORTS`, such that rows that nobody gave meet no other.

    As many are kept for the service as `run.py scale` may ever need.
    """
    lengths = {
        **dict.fromkeys(PORTS, 1),
        "first_port": MOST_PROCESSES,
        "first_mongo_port": _MEMBERS,
    }
    return choose(given, defaults=PORTS, lengths=lengths)


def _numbered(flag: str, number: int) -> str:
    return f"{flag} + {number}" if number else flag


def start(layout: Layout, plan: Plan, *, environment: Mapping[str, str], say: Say) -> None:
    """Write the node's configuration, start everything and return when all of it answers.

    Args:
        layout: where the node is.
        plan: what shall run.
        environment: what the processes inherit.
        say: told what happens.

    Raises:
        NodeError: a program is missing, a port is taken, or something does not come up; then
            nothing of it goes on running.
    """
    supervisor = Supervisor(layout.socket)
    if supervisor.is_running:
        raise NodeError(f"the node in {layout.folder} runs already: see {NAME} status")
    if left := layout.pids():
        pids = ", ".join(map(str, left))
        raise NodeError(f"supervisord has ended, but not all of the node: {NAME} down ends {pids}")
    environment = environment_of_programs(environment, plan)
    require_usable(plan.by_flag())
    require_room(layout, plan)
    lay_out(layout, plan)
    logged = sizes_of(layout.log.glob("*.log"))
    with _all_or_nothing(layout, supervisor, say):
        say(f"starting supervisord on {layout.supervisord}")
        _start_supervisord(layout, environment)
        _wait_for(supervisor, layout)
        if plan.mongo_ports:
            say("starting MongoDB: a replica set of three")
            initiate(supervisor, plan.mongo_ports, logged=logged)
        for port in plan.ports:
            seconds = wait_until_ready(supervisor, port, logged=logged)
            say(f"{port}: ready after {seconds:.1f} s")
        _wait_until_all_run(supervisor, logged)
        _ask_nginx(plan.nginx.http)


def require_room(layout: Layout, plan: Plan) -> None:
    """Raise `NodeError` if the disk has no room for members of MongoDB that begin with nothing."""
    new = [port for port in plan.mongo_ports if not has_data(layout.mongo_data(port))]
    needed_bytes = len(new) * room.FIRST_BYTES or room.LEAST_BYTES
    if lack := room.shortage(os.statvfs(layout.folder), needed_bytes):
        raise NodeError(f"the disk of {layout.folder} {lack}: make room, or choose another --node")


@contextmanager
def _all_or_nothing(layout: Layout, supervisor: Supervisor, say: Say) -> Iterator[None]:
    try:
        yield
    except BaseException:
        say("stopping what was started")
        stop(layout, supervisor)
        raise


def lay_out(layout: Layout, plan: Plan) -> None:
    """Write the node's folder: all that is in its `conf` anew, but for a certificate.

    Raises:
        NodeError: the folder cannot be a node's, or is one that somebody else laid out.
    """
    _require_fit(layout)
    shutil.rmtree(layout.programs, ignore_errors=True)
    data = [layout.mongo_data(port) for port in plan.mongo_ports]
    for folder in (layout.conf, layout.programs, layout.log, layout.run, *data):
        folder.mkdir(mode=0o700, exist_ok=True)
    for name in _COPIED:
        shutil.copyfile(CONF / name, layout.conf / name)
    for port in plan.mongo_ports:
        write_program(layout, member_name("PORT"), port)
    for port in plan.ports:
        write_program(layout, process_name("PORT"), port)
    redis_url = plan.given_redis_url
    if redis_url is None:
        shutil.copyfile(CONF / "programs/redis.conf", layout.programs / "redis.conf")
        redis_url = f"unix://{quote(str(layout.run))}/redis.sock"
    settings = (CONF / "node.todo.conf").read_text(encoding="utf-8")
    addresses = f"mongo_uri = {plan.mongo_uri}\nredis_url = {redis_url}\n"
    layout.settings.write_text(f"{_MARK}{settings}{addresses}", encoding="utf-8")
    write_configuration(layout.conf / "nginx", ports=plan.nginx, app_ports=plan.ports)
    make_certificate(layout.conf / "nginx")


def _require_fit(layout: Layout) -> None:
    if not (CONF / "programs").is_dir():
        raise NodeError(f"{NAME} up needs the conf/ of a release, which is not in {RELEASE}")
    if len(os.fsencode(layout.socket)) > _LONGEST_SOCKET:
        raise NodeError(f"{layout.socket} is too long for a socket: choose another --node")
    if found := _SPECIAL.search(str(layout.folder)):
        raise NodeError(f"supervisord cannot work in a folder with a {found[0]} in its path")
    if layout.conf.exists():
        file = layout.settings
        if not file.exists() or not file.read_text(encoding="utf-8").startswith(_MARK):
            raise NodeError(f"{layout.conf} is not {NAME} up's, which would write it anew")


def write_program(layout: Layout, template: str, port: int) -> None:
    """Write the configuration of a program that listens on a port."""
    text = (CONF / f"programs/{template}.conf").read_text(encoding="utf-8")
    if not IS_CLONE:
        text = text.replace(_RUN, "-m app")
    name = template.replace("PORT", str(port))
    (layout.programs / f"{name}.conf").write_text(text.replace("PORT", str(port)), encoding="utf-8")


def environment_of_programs(environment: Mapping[str, str], plan: Plan) -> Mapping[str, str]:
    """Return an environment on whose PATH all programs are, and that has no settings.

    Those of the environment would go before those of the node's `todo.conf`.
    """
    needed = [MONGOD] if plan.given_mongo_uri is None else []
    needed += [REDIS_SERVER] if plan.given_redis_url is None else []
    folders = [str(Path(sys.executable).parent)]
    folders += [str(Path(find_binary(program)).parent) for program in needed]
    path = os.pathsep.join([*folders, environment.get("PATH", ""), "/usr/sbin"])
    for name in ("nginx", "openssl"):
        if shutil.which(name, path=path) is None:
            raise NodeError(f"there is no {name} here: `apt-get install {name}` brings it")
    inherited = {name: value for name, value in environment.items() if not name.startswith("TODO_")}
    return {**inherited, "PATH": path, "RELEASE_FOLDER": str(RELEASE)}


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


def _wait_until_all_run(supervisor: Supervisor, logged: Logged) -> None:
    deadline = time.monotonic() + _RUNNING_SECONDS
    while waiting := [entry for entry in supervisor.processes() if entry.state != "RUNNING"]:
        for process in waiting:
            if process.has_failed or time.monotonic() > deadline:
                raise NodeError(
                    f"{process.name} does not come up ({process.state})\n"
                    f"{last_lines(process.log, logged)}"
                )
        time.sleep(_POLL_SECONDS)


def _ask_nginx(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_RUNNING_SECONDS)
    try:
        connection.request("GET", "/v1/todos?limit=1")
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            raise NodeError(f"nginx answers {answer.status} on port {port}")
    except (OSError, http.client.HTTPException) as error:
        raise NodeError(f"nginx does not answer on port {port}: {error}") from error
    finally:
        connection.close()
