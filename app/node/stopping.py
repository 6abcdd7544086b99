"""Stops a node, whatever is left of it."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from app.node.layout import Layout, NodeError
from app.node.supervisor import Supervisor

_STOP_SECONDS = 90.0
"""Longer than all `stopwaitsecs` of conf/programs that follow one another (by priority)."""

_LEFT_SECONDS = 30.0
_POLL_SECONDS = 0.1


def stop(layout: Layout, supervisor: Supervisor) -> None:
    """Stop supervisord and all that runs in a node's folder; return when it has ended.

    Processes whose supervisord was killed are ended too.

    Raises:
        NodeError: something goes on running.
    """
    if supervisor.is_running:
        supervisor.shut_down()
        _wait_while(layout.socket.exists, _STOP_SECONDS, layout)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in layout.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        with suppress(NodeError):
            _wait_while(layout.pids, _LEFT_SECONDS, layout)
    _wait_while(layout.pids, _LEFT_SECONDS, layout)


def _wait_while(is_so: Callable[[], object], seconds: float, layout: Layout) -> None:
    deadline = time.monotonic() + seconds
    while is_so():
        if time.monotonic() > deadline:
            raise NodeError(f"the node in {layout.folder} still runs: see {layout.log}")
        time.sleep(_POLL_SECONDS)
