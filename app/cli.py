"""The commands: serve (the default), those that work on todos and those that work on a node."""

import errno
import logging
import os
import signal
import socket
import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Timer
from typing import NoReturn

from tornado.netutil import bind_sockets

from app import __version__
from app.command import Backends, CommandError, backends_of, run_on_loop, settings_of
from app.data_commands import DATA_COMMANDS
from app.embedded import EmbeddedServersError
from app.errors import StorageRefused, StorageUnavailable, StorageUnusable
from app.log import configure_logging, is_json
from app.node.layout import NodeError
from app.program import NAME
from app.settings import Settings, SettingsError
from app.settings_row import redact
from app.settings_sources import (
    SettingsParser,
    add_flags,
    unknown,
)
from app.standard_streams import OutputError, ReaderLeft, finish, tell

Command = Callable[[Sequence[str]], int]
"""Takes the arguments after its name and returns the exit code."""

log = logging.getLogger(__name__)

_FAILED = 1
_USED_WRONGLY = 2
_INTERRUPTED = 130

_THREADS_SECONDS = 1.0
"""For threads to end before the process ends without them; all answers are given by then."""

_DESCRIPTION = """\
Serve todos over HTTP from MongoDB. Without --mongo-uri and --redis-url, private
servers are started that keep their data in --data-dir."""
_OTHER_COMMANDS = f"""\
other commands:
  {NAME} seed --count N    store N made-up todos ({NAME} seed --help)
  {NAME} export            write every todo, a line of JSON for each
  {NAME} statistics        say how many todos there are
  {NAME} up                start nginx, a process of the service for each core, MongoDB and Redis;
                           then: status, restart, scale N, logs, down"""


def run() -> NoReturn:
    """Run the command that this process was given, and end the process."""
    code = main(sys.argv[1:])
    # Python waits for Motor's threads, and a thread for a MongoDB that hangs: nobody else does.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    last_word = Timer(_THREADS_SECONDS, os._exit, (code,))
    last_word.daemon = True
    last_word.start()
    sys.exit(code)


def main(given: Sequence[str]) -> int:  # noqa: PLR0911 - one for each way to end.
    """Run a command and return its exit code: 2 if it was given wrongly, 1 if it failed."""
    if _is_service(given):
        # Until the settings are known, which may be what is wrong.
        configure_logging(level="info", log_format="auto", access_log=False)
    try:
        command, arguments = _split(given)
        code = _until_it_exits(command, arguments)
        finish()
    except SettingsError as error:
        return _end(given, str(error), _USED_WRONGLY)
    except ReaderLeft:
        return _FAILED
    except OutputError as error:  # Of an answer for a person, such as --help.
        tell(f"{NAME}: {error}", sys.stderr)
        return _FAILED
    except (
        *(CommandError, EmbeddedServersError, NodeError),
        *(StorageUnusable, StorageRefused),
    ) as error:
        return _end(given, str(error), _FAILED)
    except StorageUnavailable as error:
        return _end(given, _sentence_of(error), _FAILED)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception:
        if not (_is_service(given) and is_json()):
            raise
        # Python would write its stack in lines that are no JSON.
        log.critical("the service ends by a fault of ours", exc_info=True)
        return _FAILED
    return code


def _sentence_of(error: StorageUnavailable) -> str:
    if error.__cause__ is None:  # The text is a sentence of ours, of MongoDB or of Redis.
        return str(error)
    from app.storage.operations import reason_of  # noqa: PLC0415 - imports the driver.

    return f"MongoDB does not answer: {reason_of(error)}"


def _is_service(given: Sequence[str]) -> bool:
    return not given or given[0].startswith("-") or given[0] == "serve"


def _end(given: Sequence[str], sentence: str, code: int) -> int:
    """Say why a command ends and return its exit code; the service's log stays JSON if it is."""
    if _is_service(given) and is_json():
        log.critical("%s", sentence)
    else:
        tell(f"{NAME}: {sentence}", sys.stderr)
    return code


def _until_it_exits(command: Command, arguments: Sequence[str]) -> int:
    try:
        return command(arguments)
    except SystemExit as ended:  # argparse, which has said why: --help, or a wrong flag.
        return int(ended.code or 0)


def _split(given: Sequence[str]) -> tuple[Command, Sequence[str]]:
    if not given or given[0].startswith("-"):
        return _serve, given
    if given[0] not in _COMMANDS:
        raise SettingsError(unknown("command", given[0], _COMMANDS))
    return _COMMANDS[given[0]], given[1:]


def _serve(arguments: Sequence[str]) -> int:
    parser = SettingsParser(
        prog=NAME,
        description=_DESCRIPTION,
        epilog=_OTHER_COMMANDS,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tornado-todo {__version__}")
    add_flags(parser)
    settings = settings_of(parser.parse_args(arguments))
    if settings is None:
        return 0
    # Before anything is started: a taken port is the likeliest reason to give up.
    sockets = [] if settings.listen_when_ready else _bind(settings)

    def listen() -> list[socket.socket]:
        sockets.extend([] if sockets else _bind(settings))
        return sockets

    with backends_of(settings) as backends:
        from app.serving import serve  # noqa: PLC0415 - imports Motor: see backends_of().

        def announce(found_mongo: bool) -> None:
            facts = _facts(settings, backends)
            if not found_mongo:
                facts["storage"] = "MongoDB has not answered yet: 503 until it does"
            _announce(sockets[0], facts)

        run_on_loop(
            serve(
                settings,
                listen,
                mongo_uri=backends.mongo_uri,
                redis_url=backends.redis_url,
                on_listening=announce,
                look_after=backends.look_after,
            )
        )
    return 0


def _bind(settings: Settings) -> list[socket.socket]:
    where = f"{settings.host} port {settings.port}"
    try:
        sockets = bind_sockets(settings.port, settings.host, backlog=settings.backlog)
    except UnicodeError:  # Of the encoding of names, IDNA.
        raise CommandError(f"cannot listen on {where}: that is no name of a host") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CommandError(
                f"{where} is in use: stop what listens there or choose another --port"
            ) from None
        if error.errno == errno.EACCES:
            raise CommandError(
                f"{where} is for privileged processes: choose another --port, 1024 or higher"
            ) from None
        raise CommandError(f"cannot listen on {where}: {error.strerror}") from None
    if not sockets:
        raise CommandError(f"cannot listen on {where}: this machine has no such addresses")
    return sockets


_LABELS = {
    "data_dir": "data in  ",
    "running": "running  ",
    "mongo_uri": "MongoDB  ",
    "redis_url": "Redis    ",
    "storage": "",
}
"""What a person reads before each fact about a service that begins; by the names of log fields."""


def _facts(settings: Settings, backends: Backends) -> dict[str, str]:
    facts = {}
    if backends.description:
        facts["data_dir"] = str(settings.data_dir.resolve())
        facts["running"] = backends.description
    if settings.mongo_uri != "embedded":
        facts["mongo_uri"] = redact(settings.mongo_uri)
    if settings.redis_url == "none":
        facts["redis_url"] = "none: no other process may serve these todos"
    elif settings.redis_url != "embedded":
        facts["redis_url"] = redact(settings.redis_url)
    return facts


def _announce(listening: socket.socket, facts: Mapping[str, str]) -> None:
    """Say that the service answers: in its log if that is JSON, else on standard output."""
    host, port = listening.getsockname()[:2]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    title = f"Todos {__version__} on http://{address}"
    if is_json():
        log.info("%s", title, extra={"fields": facts})
        return
    lines = [f"  {_LABELS[name]}{text}" for name, text in facts.items()]
    tell("\n".join([f"{title}  (Ctrl-C stops)", *lines]))


def _help(arguments: Sequence[str]) -> int:
    parser = SettingsParser(prog=f"{NAME} help", description="Show the help of a command.")
    parser.add_argument(
        "command", nargs="?", default="serve", metavar="COMMAND", help="default %(default)s"
    )
    command, _ = _split([parser.parse_args(arguments).command])
    return command(["--help"])


def _version(arguments: Sequence[str]) -> int:
    SettingsParser(prog=f"{NAME} version", description="Show the version.").parse_args(arguments)
    return _serve(["--version"])


def _on_node(name: str, arguments: Sequence[str]) -> int:
    try:
        # Supervisor is needed for nothing else.
        from app.node.commands import COMMANDS  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise CommandError(
            f"{error.name} is missing: pip install 'tornado-todo[node]' brings it"
        ) from error
    try:
        return COMMANDS[name](arguments, os.environ)
    except OSError as error:
        raise CommandError(f"{error.filename or name}: {error.strerror or error}") from error


_NODE_COMMANDS = ("up", "status", "restart", "scale", "logs", "down")
_COMMANDS: Mapping[str, Command] = {
    "serve": _serve,
    "help": _help,
    "version": _version,
    **DATA_COMMANDS,
    **{name: partial(_on_node, name) for name in _NODE_COMMANDS},
}
