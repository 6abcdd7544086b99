"""Starts the service for a measurement and stops it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).parent.parent
START_DEADLINE_SECONDS = 30.0


@dataclass(frozen=True)
class Running:
    """A service that answers."""

    url: str
    seconds_to_first_answer: float


@contextmanager
def service(*flags: str, port: int) -> Iterator[Running]:
    """Run ``run.py`` with flags until the block is left; give it once it has answered 200."""
    started = time.perf_counter()
    command = [sys.executable, "run.py", f"--port={port}", "--log-level=warning", *flags]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603 - ours.
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for_answer(f"{url}/todo", started + START_DEADLINE_SECONDS)
        yield Running(url, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait()


def _wait_for_answer(url: str, deadline: float) -> None:
    while True:
        try:
            with urlopen(url, timeout=5):  # noqa: S310 - a loopback address of ours.
                return
        except (URLError, OSError):
            if time.perf_counter() > deadline:
                raise
            time.sleep(0.005)
