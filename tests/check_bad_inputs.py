"""Sends every row of the table to a server in memory, and says what was wrong: exit status 1.

A script of its own because ``python -O`` removes the asserts that pytest lives by: run as
``python -O tests/check_bad_inputs.py`` it shows that nothing in the server hangs on one. The first
line says whether Python is optimised.
"""

import asyncio
import sys

from bad_inputs import ROWS, faults, outcomes
from echo_application import Ran, make_echo_application

from app.httpserver import Server


async def check() -> list[str]:
    """Return what was wrong."""
    ran = Ran(list)
    server = Server(make_echo_application(ran))
    found = []
    for row in ROWS:
        found += faults(row, await outcomes(server, ran, row, thoroughly=False))
    return found


if __name__ == "__main__":
    print(f"optimised: {not __debug__}, rows: {len(ROWS)}")
    wrong = asyncio.run(check())
    print("\n".join(wrong))
    sys.exit(bool(wrong))
