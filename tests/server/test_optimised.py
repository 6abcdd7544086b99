"""Nothing in the server hangs on an assert: ``python -O`` refuses what Python refuses.

Tornado once checked the end of a chunk by an assert; aiohttp looped for ever without one.
"""

import os
import subprocess
import sys
from pathlib import Path

from bad_inputs import ROWS

_TESTS = Path(__file__).parents[1]


def test_every_row_is_answered_by_an_optimised_server():
    paths = os.pathsep.join((str(_TESTS.parent), str(_TESTS)))
    done = subprocess.run(
        [sys.executable, "-O", _TESTS / "check_bad_inputs.py"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    first, *wrong = done.stdout.strip().splitlines()
    assert first == f"optimised: True, rows: {len(ROWS)}"
    assert not wrong
    assert not done.stderr
    assert done.returncode == 0
