"""Changes the processes of the service one at a time, so that the others answer meanwhile."""

import http.client
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from app.node.layout import NodeError, process_name
from app.node.supervisor import Supervisor

READY_SECONDS = 30.0
"""For a process to answer 200 at /readyz: it takes one second, and more where MongoDB is away."""

_POLL_SECONDS = 0.05
_ANSWER_SECONDS = 2.0
_LAST_LINES = 5

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
    if not ports:
        raise NodeError("no process of the service is configured")
    for port in ports:
        if [other for other in ports if is_ready(other)] == [port]:
            raise NodeError(
                f"not restarting {port}: no other process is ready, so nobody would answer "
                f"(run.py scale 2 adds one)"
            )
        say(f"{port}: stopping")
        name = process_name(port)
        if not supervisor.process(name).is_stopped:
            supervisor.stop(name)
        supervisor.start(name)
        seconds = wait_until_ready(supervisor, port, within=ready_seconds)
        say(f"{port}: ready after {seconds:.1f} s")


def wait_until_ready(supervisor: Supervisor, port: int, *, within: float = READY_SECONDS) -> float:
    """Wait until a process that was started answers that it is ready; return the seconds it took.

    Raises:
        NodeError: it has ended, or is not ready in time; the text has the end of its log.
    """
    begun = time.monotonic()
    while not is_ready(port):
        process = supervisor.process(process_name(port))
        elapsed = time.monotonic() - begun
        if process.has_failed or elapsed > within:
            reason = "does not come up" if process.has_failed else "is not ready"
            lines = _last_lines(process.log)
            raise NodeError(
                f"{port} {reason} ({process.state}, {elapsed:.1f} s). {process.log} ends with:\n"
                + "\n".join(f"  {line}" for line in lines)
            )
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - begun


def is_ready(port: int) -> bool:
    """Ask a process of the service whether requests should be sent to it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _last_lines(log: Path) -> Sequence[str]:
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            return [line.rstrip() for line in deque(lines, maxlen=_LAST_LINES)]
    except OSError:
        return ["(it cannot be read)"]
