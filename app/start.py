"""What comes before everything else: it imports nothing that may be missing or takes long."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from app import standard_streams
from app.program import IS_CLONE, NAME, RELEASE

_OURS = ("app", "handlers")


def run() -> NoReturn:
    """Run the command that this process was given, and end the process."""
    standard_streams.repair()
    if os.getpid() == 1:
        # To the first process of a container the kernel gives no signal that has no handler
        # (pid_namespaces(7)): `docker stop` would wait in vain until the service has its own.
        signal.signal(signal.SIGTERM, _end)
    if sys.version_info < (3, 11):  # noqa: UP036 - run.py is given to any Python.
        sys.exit(f"{NAME}: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    try:
        from app import cli  # noqa: PLC0415

        cli.run()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in _OURS:
            raise
        sys.exit(f"{NAME}: {missing} is missing in {sys.executable}: {_remedy()}")


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(128 + number)  # As shells give it.


def _remedy() -> str:
    if not IS_CLONE:
        return "pip install tornado-todo brings it"
    python = RELEASE / ".venv/bin/python"
    if python.exists() and Path(sys.prefix) != RELEASE / ".venv":
        return f"use {python} run.py, or make run"
    return "make run installs all that is needed into .venv, and starts"
