"""The service in a process whose clock jumps: SIGUSR1 puts it an hour on, SIGUSR2 an hour back.

``python tests/clock_shifting_service.py FLAGS`` takes the flags of ``run.py``. The monotonic clock
goes on as it does in any process whose machine's time is set.
"""

import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

_HOUR_SECONDS = 3600.0

real_time = time.time
ahead = 0.0


def shifted_time() -> float:
    """Return the time as this process sees it."""
    return real_time() + ahead


time.time = shifted_time

from app.cli import run  # noqa: E402 - after the clock is changed.


def jump(seconds: float) -> Any:
    """Return a signal's handler that moves the clock by so much."""

    def handle(*_: object) -> None:
        global ahead  # noqa: PLW0603 - the clock is everybody's.
        ahead += seconds

    return handle


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, jump(_HOUR_SECONDS))
    signal.signal(signal.SIGUSR2, jump(-_HOUR_SECONDS))
    run()
