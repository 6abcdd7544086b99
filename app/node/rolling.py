"""Changes the processes of the service one at a time, so that the others answer meanwhile."""

import http.client
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from app.node.layout import NodeError, process_name
from app.node.ports import require_free
from app.node.supervisor import Process, Supervisor
from app.program import NAME

READY_SECONDS = 30.0
"""For a process to pass at /readyz: it takes one second, and more where MongoDB is away."""

_END_SECONDS = 35.0
"""For a process to end by itself after SIGTERM: longer than it drains (drain_seconds and
drain_idle_seconds in conf/node.todo.conf). Then it is killed."""

_POLL_SECONDS = 0.1
_END_POLL_SECONDS = 0.02
"""While a process ends: the next one's first lines come later after its begin, and are its own."""

_ANSWER_SECONDS = 2.0
_LAST_LINES = 5
_SHOWN = 300  # Characters of what a process says.
_UNTOLD = ('"logger":"access"', '"s":"I"')
"""In access lines of the service, and in what MongoDB says that is no warning: it ends with dozens
of lines about its end, behind the one with the reason."""

Say = Callable[[str], None]
"""Tells the person at the terminal what happens."""

Logged = Mapping[Path, int]
"""Bytes that each log had at a moment; a log that is not there had none."""


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
            have not been restarted yet go on as they are. One that runs and is not ready is
            stopped, so that nginx sends it nothing, unless no other answers.
    """
    for port in ports:
        process = _when_it_has_started(supervisor, port)
        if [other for other in ports if ask(other).answers] == [port]:
            raise NodeError(
                f"not restarting {port}: no other process is ready, so nobody would answer "
                f"({NAME} scale 2 adds one)"
            )
        say(f"{port}: restarting")
        if process.state == "RUNNING":
            logged = _let_begin_anew(supervisor, process)
        else:
            logged = start_anew(supervisor, port)
        try:
            seconds = wait_until_ready(supervisor, port, within=ready_seconds, logged=logged)
        except NodeError as error:
            raise NodeError(f"{error}\n{_take_out(supervisor, port, ports)}") from None
        say(f"{port}: ready after {seconds:.1f} s")


def _take_out(supervisor: Supervisor, port: int, ports: Sequence[int]) -> str:
    """Stop a process that is not ready; return what has become of it.

    One that does not stay up gets no requests as it is, and supervisord goes on trying.
    """
    name = process_name(port)
    if supervisor.process(name).has_failed:
        return f"{port}: supervisord goes on trying to start it"
    if not any(ask(other).answers for other in ports if other != port):
        return f"{port}: left as it is, since no other process answers"
    supervisor.stop(name)
    return f"{port}: stopped, so nginx sends it nothing; {NAME} restart starts it again"


def _when_it_has_started(supervisor: Supervisor, port: int) -> Process:
    """Return a process when supervisord knows whether it stays up (`startsecs`)."""
    while (process := supervisor.process(process_name(port))).state == "STARTING":
        time.sleep(_POLL_SECONDS)
    return process


def _let_begin_anew(supervisor: Supervisor, process: Process) -> Logged:
    """End a process; return the size of its log with all that it said."""
    # Supervisord starts it again (autorestart), whatever becomes of this command meanwhile: one
    # that stops and starts it would leave it stopped after Ctrl-C.
    supervisor.signal(process.name, "TERM")
    deadline = time.monotonic() + _END_SECONDS
    while supervisor.process(process.name).pid == process.pid:
        if time.monotonic() > deadline:
            supervisor.signal(process.name, "KILL")
            deadline += _END_SECONDS
        time.sleep(_END_POLL_SECONDS)
    return sizes_of([process.log])


def start_anew(supervisor: Supervisor, port: int) -> Logged:
    """Start a process that does not run, or begins again and again; return its log's size before.

    Raises:
        NodeError: another program has its port.
    """
    name = process_name(port)
    if not supervisor.process(name).is_stopped:
        supervisor.stop(name)
    require_free(port)
    logged = sizes_of([supervisor.process(name).log])
    supervisor.start(name)
    return logged


def wait_until_ready(
    supervisor: Supervisor, port: int, *, within: float = READY_SECONDS, logged: Logged
) -> float:
    """Wait until a process has run for `startsecs` and is ready; return the seconds it took.

    Args:
        supervisor: of the node.
        port: of the process.
        within: seconds.
        logged: sizes of logs before it began; what is older was said by others.

    Raises:
        NodeError: it has ended, or is not ready in time; the text says why, and what it logged.
    """
    begun = time.monotonic()
    while True:
        trouble = ask(port).trouble
        process = supervisor.process(process_name(port))
        elapsed = time.monotonic() - begun
        if not trouble and process.state == "RUNNING":
            return elapsed
        if process.has_failed or elapsed > within:
            what = "does not come up" if process.has_failed else "is not ready"
            raise NodeError(
                f"{port} {what} ({process.state}, {elapsed:.1f} s): "
                f"{trouble or 'it does not stay up'}\n{last_lines(process.log, logged)}"
            )
        time.sleep(_POLL_SECONDS)


class Readiness(NamedTuple):
    """What a process of the service says at /readyz."""

    answers: bool
    """It answers requests, reads at least."""
    trouble: str = ""
    """Why it is not ready for all of them."""


def is_ready(port: int) -> bool:
    """Tell whether a process of the service is ready for all requests."""
    return not ask(port).trouble


def ask(port: int) -> Readiness:
    """Ask a process of the service whether it is ready.

    One that warns is not: it answers reads, and no writes (docs/operations.md, "Health").
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return Readiness(answers=False, trouble=f"/readyz does not answer: {error}")
    finally:
        connection.close()
    answers = answer.status == http.HTTPStatus.OK
    try:
        health = json.loads(text)
        told = [
            f"{name.partition(':')[0]}: {check['output']}"
            for name, checks in health["checks"].items()
            for check in checks
            if "output" in check
        ]
        word = health["status"]
    except (ValueError, LookupError, TypeError, AttributeError):  # Somebody else has this port.
        return Readiness(answers=False, trouble=f"/readyz says {answer.status} {text[:_SHOWN]}")
    if answers and word == "pass":
        return Readiness(answers=True)
    return Readiness(answers, f"/readyz says {answer.status} {word}, {'; '.join(told)[:_SHOWN]}")


def last_lines(log: Path, logged: Logged) -> str:
    """Return the last lines since a log had its size, without those that explain nothing."""
    begin = logged.get(log, 0)
    try:
        if log.stat().st_size < begin:  # It was put aside.
            begin = 0
        with log.open(encoding="utf-8", errors="replace") as lines:
            lines.seek(begin)
            told = (line.rstrip() for line in lines if not any(mark in line for mark in _UNTOLD))
            last = [f"  {line}" for line in deque(told, maxlen=_LAST_LINES)]
    except OSError as error:
        return f"{log} cannot be read: {error.strerror}"
    return "\n".join([f"{log} ends with:", *(last or ["  (nothing new)"])])


def sizes_of(logs: Iterable[Path]) -> Logged:
    """Return how many bytes each of these logs has; those that are not there yet are left out."""
    return {log: log.stat().st_size for log in logs if log.exists()}
