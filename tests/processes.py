"""The processes that work in a data directory."""

from contextlib import suppress
from pathlib import Path

import psutil


def processes_in(data_dir: Path) -> list[psutil.Process]:
    """Return the servers and the keeper of a data directory: they run in it or are told its name.

    A `run.py` that was given the directory is among them.
    """
    found = []
    for process in psutil.process_iter():
        # A process may end, or turn out to be somebody else's, while it is looked at.
        with suppress(psutil.Error):
            if str(data_dir) in process.cmdline() or process.cwd() == str(data_dir):
                found.append(process)
    return found


def named(name: str, data_dir: Path) -> psutil.Process:
    """Return the one process of that name in a data directory."""
    (process,) = [process for process in processes_in(data_dir) if process.name() == name]
    return process
