"""The supervisord of a node, over its Unix socket (https://supervisord.org/api.html)."""

import errno
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]

from app.node.layout import NodeError

_STOPPED = frozenset({"STOPPED", "EXITED", "FATAL"})
_RETRIED = "BACKOFF"

_ANSWER_SECONDS = 10.0
"""For supervisord to answer: it takes milliseconds, so one that takes longer stands still."""

_STOP_SECONDS = 90.0
"""For an answer that comes when a process has ended: longer than any `stopwaitsecs` of
conf/programs."""

_LOG_BYTES = 16_384
"""Of supervisord's log that are looked through: more than a hundred lines."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process as supervisord sees it."""

    name: str
    state: str
    """Such as RUNNING; see https://supervisord.org/subprocess.html#process-states."""

    description: str
    """For people: pid and uptime, or why it does not run."""

    pid: int
    """0 where it does not run."""

    log: Path

    @property
    def is_stopped(self) -> bool:
        """It does not run, and will not by itself."""
        return self.state in _STOPPED

    @property
    def has_failed(self) -> bool:
        """It does not run, or not for long."""
        return self.is_stopped or self.state == _RETRIED


class Supervisor:
    """Starts and stops the processes of a node.

    All methods raise `NodeError`: supervisord does not run, does not answer in time, or refuses.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    @property
    def is_running(self) -> bool:
        """Supervisord answers.

        Raises:
            NodeError: there is one, and it stands still.
        """
        try:
            self.processes()
        except NodeError as error:
            if isinstance(error.__cause__, TimeoutError):
                raise
            return False
        return True

    def processes(self) -> list[Process]:
        """Return all processes, in the order of their names."""
        return [_process(info) for info in self._call("getAllProcessInfo")]

    def process(self, name: str) -> Process:
        """Return one process."""
        return _process(self._call("getProcessInfo", name))

    def last_end(self, name: str) -> str:
        """Return how a process has ended last, in supervisord's words; empty where it did not."""
        told = self._call("readLog", -_LOG_BYTES, 0)
        ends = re.findall(rf"exited: {re.escape(name)} \((.*)\)$", told, re.MULTILINE)
        return str(ends[-1]) if ends else ""

    def start(self, name: str) -> None:
        """Start a process that does not run; return when it has been begun."""
        self._call("startProcess", name, False)

    def stop(self, name: str) -> None:
        """Stop a process; return when it has ended, killed after `stopwaitsecs` if need be."""
        self._call("stopProcess", name, seconds=_STOP_SECONDS)

    def signal(self, name: str, signal: str) -> None:
        """Send a signal, such as HUP."""
        self._call("signalProcess", name, signal)

    def add(self, name: str) -> None:
        """Read the configuration again and take up a program that is new there."""
        self._call("reloadConfig")
        self._call("addProcessGroup", name)

    def remove(self, name: str) -> None:
        """Forget a program, which must have been stopped."""
        self._call("removeProcessGroup", name)
        self._call("reloadConfig")

    def shut_down(self) -> None:
        """Stop all processes and supervisord itself; return at once."""
        self._call("shutdown")

    def _call(self, method: str, *arguments: Any, seconds: float = _ANSWER_SECONDS) -> Any:
        # One connection for each call: the transport does not make another after one that failed.
        transport = _Transport(self._socket, seconds)
        # The address is not used; the class wants one.
        with self._errors(seconds), ServerProxy("http://127.0.0.1", transport=transport) as server:
            return getattr(server.supervisor, method)(*arguments)

    @contextmanager
    def _errors(self, seconds: float) -> Iterator[None]:
        try:
            yield
        except Fault as fault:
            raise NodeError(f"supervisord refuses: {fault.faultString}") from fault
        except TimeoutError as error:
            raise NodeError(
                f"supervisord at {self._socket} does not answer: it was waited for {seconds:g} s "
                "(if a signal has stopped it, kill -CONT lets it go on)"
            ) from error
        except (OSError, HTTPException) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.ECONNREFUSED):
                raise NodeError(f"no supervisord listens at {self._socket}") from error
            raise NodeError(f"supervisord at {self._socket} does not answer: {error}") from error


class _Transport(SupervisorTransport):  # type: ignore[misc]
    """Supervisor's own, which by itself would wait for ever."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__(None, None, serverurl=f"unix://{path}")
        self._get_connection = partial(_Connection, path, seconds)


class _Connection(HTTPConnection):
    """HTTP over a Unix socket, with a deadline for each step."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket; called by `request`."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _process(info: dict[str, Any]) -> Process:
    name, group = info["name"], info["group"]
    return Process(
        name=name if name == group else f"{group}:{name}",
        state=info["statename"],
        description=info["description"],
        pid=info["pid"],
        log=Path(info["stderr_logfile"] or info["stdout_logfile"]).resolve(),
    )
