"""The commands of `run.py` that work on a node."""

import os
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from functools import partial
from pathlib import Path

from app.node.asking import Said, ask_all
from app.node.cores import LEAST_PROCESSES, MOST_PROCESSES, default_processes
from app.node.creation import PORTS, Plan, chosen_ports, start
from app.node.layout import Layout, NodeError
from app.node.nginx import Ports
from app.node.ports import HIGHEST
from app.node.rolling import READY_SECONDS, restart
from app.node.scaling import scale
from app.node.stopping import stop
from app.node.supervisor import Supervisor
from app.number_flag import number_flag
from app.path_flag import path_flag
from app.program import NAME
from app.settings import TABLE, Settings
from app.settings_row import one_of, redact
from app.settings_sources import SettingsParser
from app.standard_streams import show, tell

_PROCESSES = number_flag(int, 1, MOST_PROCESSES)
_READY_SECONDS = number_flag(float, 0.001, 3600)


def up(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Lay a node out, start it and say where it is."""
    parser = _parser("up", "Start nginx, the service, MongoDB and Redis on this machine.")
    parser.add_argument(
        "--processes",
        type=_PROCESSES,
        default=default_processes(),
        metavar="N",
        help=f"of the service (default: one for each core that this may use, at least "
        f"{LEAST_PROCESSES}, at most {MOST_PROCESSES}: %(default)s)",
    )
    for name, what in (
        ("port", "nginx, HTTP"),
        ("tls_port", "nginx, HTTPS"),
        ("redirect_port", "nginx, HTTP that is sent to HTTPS"),
        ("first_port", "first process of the service; the others follow"),
        ("first_mongo_port", "first member of the replica set; two follow"),
    ):
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=number_flag(int, 1, HIGHEST),
            metavar="PORT",
            help=f"{what} (default {PORTS[name]}, or the next that no other flag names)",
        )
    for name, what in (
        ("mongo_uri", "MongoDB elsewhere (default: a replica set on this node)"),
        ("redis_url", "Redis elsewhere (default: one on this node)"),
    ):
        parser.add_argument(
            *TABLE[name].flags, type=partial(_address, name), metavar="ADDRESS", help=what
        )
    given = parser.parse_args(arguments)
    ports = chosen_ports({name: getattr(given, name) for name in PORTS})
    plan = Plan(
        processes=given.processes,
        nginx=Ports(ports["port"], ports["tls_port"], ports["redirect_port"]),
        first_port=ports["first_port"],
        first_mongo_port=ports["first_mongo_port"],
        given_mongo_uri=given.mongo_uri,
        given_redis_url=given.redis_url,
    )
    layout = Layout(given.node.resolve())
    layout.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with layout.locked():
        _require_understood(layout, plan)
        start(layout, plan, environment=environment, say=tell)
    tell(
        f"Todos on http://127.0.0.1:{plan.nginx.http} and https://127.0.0.1:{plan.nginx.tls} "
        f"({given.processes} processes)\n"
        f"  node     {layout.folder}\n"
        f"  logs     {layout.log}\n"
        f"  metrics  http://127.0.0.1:{plan.ports[0]}/metrics, one for each process\n"
        f"  MongoDB  {redact(plan.mongo_uri)}\n"
        f"  then     {NAME} status, restart, scale N, logs, down"
    )
    return 0


def _require_understood(layout: Layout, plan: Plan) -> None:
    if plan.given_mongo_uri is None and plan.given_redis_url is None:
        return
    from app.resources import require_understood  # noqa: PLC0415 - imports Motor.

    # Where the processes work: an address may name a file, such as tlsCAFile.
    with chdir(layout.folder):
        require_understood(
            Settings(), mongo_uri=plan.given_mongo_uri, redis_url=plan.given_redis_url
        )


def status(arguments: Sequence[str], _environment: Mapping[str, str]) -> int:
    """Print what runs; the exit code is 1 if something does not, or is not ready."""
    layout = _layout(_parser("status", "Show what runs on the node."), arguments)
    layout.require_own()
    supervisor = Supervisor(layout.socket)
    is_well = True
    processes = supervisor.processes()
    said = ask_all(layout, processes)
    for process in processes:
        word, trouble = said.get(process.name, Said())
        # One of the service that is ready has run for less than `startsecs`, at worst.
        states = ("RUNNING", "STARTING") if word else ("RUNNING",)
        is_up = process.state in states and not trouble
        shown = word if is_up else "NOT READY"
        description = f"{process.description}: {trouble}" if trouble else process.description
        show(f"{process.name:16} {process.state:10} {shown:10} {description}")
        is_well = is_well and is_up
    return 0 if is_well else 1


def restart_processes(arguments: Sequence[str], _environment: Mapping[str, str]) -> int:
    """Restart the processes of the service, one at a time."""
    parser = _parser("restart", "Restart the service, one process after the other.")
    parser.add_argument(
        "--ready-seconds",
        type=_READY_SECONDS,
        default=READY_SECONDS,
        metavar="SECONDS",
        help="for each to become ready (default %(default)g)",
    )
    given = parser.parse_args(arguments)
    layout = Layout(given.node.resolve())
    with layout.locked():
        supervisor = Supervisor(layout.socket)
        restart(supervisor, layout.ports, say=tell, ready_seconds=given.ready_seconds)
    return 0


def scale_processes(arguments: Sequence[str], _environment: Mapping[str, str]) -> int:
    """Change the number of processes of the service."""
    parser = _parser("scale", "Change the number of the service's processes.")
    parser.add_argument("processes", type=_PROCESSES, metavar="N", help="how many shall run")
    given = parser.parse_args(arguments)
    layout = Layout(given.node.resolve())
    with layout.locked():
        scale(layout, Supervisor(layout.socket), given.processes, say=tell)
    return 0


def logs(arguments: Sequence[str], _environment: Mapping[str, str]) -> int:
    """Show the ends of all logs, and what is added, until Ctrl-C."""
    layout = _layout(_parser("logs", "Follow the logs of the node."), arguments)
    layout.require_own()
    # The service first, as far as its own go; then what stands before it and what behind.
    files = sorted(layout.log.glob("*.log"), key=_order)
    if not files:
        raise NodeError(f"there are no logs in {layout.log}")
    os.execvp("tail", ["tail", "-n", "20", "-F", *map(str, files)])  # noqa: S606, S607 - nothing follows.


_FIRST_LOGS = ("todo-", "nginx", "supervisord", "redis", "mongod-")


def _order(log: Path) -> tuple[int, str]:
    ranks = (rank for rank, name in enumerate(_FIRST_LOGS) if log.name.startswith(name))
    return next(ranks, len(_FIRST_LOGS)), log.name


def down(arguments: Sequence[str], _environment: Mapping[str, str]) -> int:
    """Stop everything; data and logs stay."""
    layout = _layout(_parser("down", "Stop the node; its data stays."), arguments)
    with layout.locked():
        supervisor = Supervisor(layout.socket)
        if not layout.pids():
            supervisor.processes()  # Which says that there is none.
        tell("stopping; requests in flight may take half a minute")
        stop(layout, supervisor)
    tell(f"stopped; the data is in {layout.folder}")
    return 0


def _parser(name: str, description: str) -> SettingsParser:
    parser = SettingsParser(prog=f"{NAME} {name}", description=description)
    parser.add_argument(
        "--node",
        type=path_flag,
        default=Path("var/node"),
        metavar="FOLDER",
        help="folder of the node (default %(default)s)",
    )
    return parser


def _layout(parser: SettingsParser, arguments: Sequence[str]) -> Layout:
    return Layout(parser.parse_args(arguments).node.resolve())


def _address(name: str, text: str) -> str:
    schemes = TABLE[name].schemes
    if not text.startswith(schemes) or not text.isprintable():
        # Processes that do not share both would show different todos, or old ones.
        # SECURITY: not even a wrong address is repeated, since it may hold a password.
        known = one_of([f"{scheme}..." for scheme in schemes])
        raise ArgumentTypeError(f"must be an address that all processes share: {known}")
    return text


Command = Callable[[Sequence[str], Mapping[str, str]], int]
"""Takes the arguments after the command's name and the environment; returns the exit code."""

COMMANDS: Mapping[str, Command] = {
    "up": up,
    "status": status,
    "restart": restart_processes,
    "scale": scale_processes,
    "logs": logs,
    "down": down,
}
"""The commands by name."""
