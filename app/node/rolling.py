"""Changes the processes of the service one at a time, so that the others answer meanwhile."""

import http.client
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from app.node.layout import NodeError, process_name
from app.node.ports import require_free
from app.node.supervisor import Process, Supervisor
from app.program import NAME

READY_SECONDS = 30.0
"""For a process to answer 200 at /readyz: it takes one second, and more where MongoDB is away."""

_END_SECONDS = 35.0
"""For a process to end by itself after SIGTERM: longer than it drains (drain_seconds and
drain_idle_seconds in conf/node.todo.conf). Then it is killed."""

_POLL_SECONDS = 0.1
_ANSWER_SECONDS = 2.0
_LAST_LINES = 5
_REASON_CHARACTERS = 300
_UNTOLD = ('"logger":"access"', '"s":"I"')
"""In access lines of the service, and in what MongoDB says that is no warning: it ends with dozens
of lines about its end, behind the one with the reason."""

Say = Callable[[str], None]
"""Tells the person at the terminal what happens."""


def restart(
    supervisor: Supervisor,
    ports: Sequence[int],
    *,
    say: Say,
    ready_seconds: float = READY_SECONDS,
) -> None:
    """Restart the processes on these ports, each when the one before is ready.

    Raises:
        NodeError: one does not become ready, or nobody would answer meanwhile. The processes that
            have not been restarted yet go on as they are.
    """
    for port in ports:
        process = _when_it_has_started(supervisor, port)
        if [other for other in ports if is_ready(other)] == [port]:
            raise NodeError(
                f"not restarting {port}: no other process is ready, so nobody would answer "
                f"({NAME} scale 2 adds one)"
            )
        say(f"{port}: restarting")
        logged = _size(process.log)
        if process.state == "RUNNING":
            _let_begin_anew(supervisor, process)
        else:
            start_anew(supervisor, port)
        seconds = wait_until_ready(supervisor, port, within=ready_seconds, logged=logged)
        say(f"{port}: ready after {seconds:.1f} s")


def _when_it_has_started(supervisor: Supervisor, port: int) -> Process:
    """Return a process when supervisord knows whether it stays up (`startsecs`)."""
    while (process := supervisor.process(process_name(port))).state == "STARTING":
        time.sleep(_POLL_SECONDS)
    return process


def _let_begin_anew(supervisor: Supervisor, process: Process) -> None:
    # Supervisord starts it again (autorestart), whatever becomes of this command meanwhile: one
    # that stops and starts it would leave it stopped after Ctrl-C.
    supervisor.signal(process.name, "TERM")
    deadline = time.monotonic() + _END_SECONDS
    while supervisor.process(process.name).pid == process.pid:
        if time.monotonic() > deadline:
            supervisor.signal(process.name, "KILL")
            deadline += _END_SECONDS
        time.sleep(_POLL_SECONDS)


def start_anew(supervisor: Supervisor, port: int) -> None:
    """Start a process that does not run, or begins again and again.

    Raises:
        NodeError: another program has its port.
    """
    name = process_name(port)
    if not supervisor.process(name).is_stopped:
        supervisor.stop(name)
    require_free(port)
    supervisor.start(name)


def wait_until_ready(
    supervisor: Supervisor, port: int, *, within: float = READY_SECONDS, logged: int = 0
) -> float:
    """Wait until a process has run for `startsecs` and is ready; return the seconds it took.

    Args:
        supervisor: of the node.
        port: of the process.
        within: seconds.
        logged: bytes that its log had before.

    Raises:
        NodeError: it has ended, or is not ready in time; the text says why, and what it logged.
    """
    begun = time.monotonic()
    while True:
        reason = why_not_ready(port)
        process = supervisor.process(process_name(port))
        elapsed = time.monotonic() - begun
        if reason is None and process.state == "RUNNING":
            return elapsed
        if process.has_failed or elapsed > within:
            what = "does not come up" if process.has_failed else "is not ready"
            raise NodeError(
                f"{port} {what} ({process.state}, {elapsed:.1f} s): "
                f"{reason or 'it does not stay up'}\n{last_lines(process.log, logged)}"
            )
        time.sleep(_POLL_SECONDS)


def is_ready(port: int) -> bool:
    """Ask a process of the service whether requests should be sent to it."""
    return why_not_ready(port) is None


def why_not_ready(port: int) -> str | None:
    """Ask a process of the service why no requests should be sent to it; None: they should."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        if answer.status == http.HTTPStatus.OK:
            return None
        text = answer.read().decode(errors="replace")
        return f"/readyz says {answer.status} {text[:_REASON_CHARACTERS]}"
    except (OSError, http.client.HTTPException) as error:
        return f"/readyz does not answer: {error}"
    finally:
        connection.close()


def last_lines(log: Path, logged: int = 0) -> str:
    """Return the last lines since a log had so many bytes, without those that explain nothing."""
    if _size(log) < logged:  # It was put aside.
        logged = 0
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            lines.seek(logged)
            told = (line.rstrip() for line in lines if not any(mark in line for mark in _UNTOLD))
            last = [f"  {line}" for line in deque(told, maxlen=_LAST_LINES)]
    except OSError as error:
        return f"{log} cannot be read: {error.strerror}"
    return "\n".join([f"{log} ends with:", *(last or ["  (nothing new)"])])


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except OSError:
        return 0
