"""What an access line costs: CPU time in the process, beside a record of `logging`.

    python -m benchmarks.access_log

Prints microseconds of CPU for each line, the write included: lines of requests that are answered
one by one, and of a hundred that are answered together. Medians and range of 15 paired rounds.
"""

import asyncio
import logging
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time

from app import log

_ROUNDS = 15
_LINES = 20_000
_PER_TURN = 100
_ROUTE, _PATH, _STATUS, _SECONDS = "/v1/todos", "/v1/todos", 200, 0.001234
_CLIENTS = [("203.0.113.9", f"4be1d4a7{number:08x}") for number in range(_PER_TURN)]

_records = logging.getLogger("access")


def _one_by_one() -> None:
    for client in _CLIENTS:
        log.access.requests(
            (client,), method="GET", route=_ROUTE, path=_PATH, status=_STATUS, seconds=_SECONDS
        )


def _together() -> None:
    log.access.requests(
        _CLIENTS, method="GET", route=_ROUTE, path=_PATH, status=_STATUS, seconds=_SECONDS
    )


def _as_records() -> None:
    for address, an_id in _CLIENTS:
        fields = {
            "http.request.method": "GET",
            "http.route": _ROUTE,
            "url.path": _PATH,
            "http.response.status_code": _STATUS,
            "client.address": address,
            "request_id": an_id,
            "duration_ms": round(_SECONDS * 1000, 3),
        }
        _records.info("request", extra={"fields": fields})


async def _measure(turn: Callable[[], None]) -> float:
    """Return microseconds of CPU for each line."""
    before = process_time()
    for _ in range(_LINES // _PER_TURN):
        turn()
        await asyncio.sleep(0)  # A turn of the loop: what was kept is written.
    return (process_time() - before) / _LINES * 1e6


async def _main() -> None:
    ways = {"records": _as_records, "one by one": _one_by_one, "a hundred together": _together}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, turn in ways.items():
            found[name].append(await _measure(turn))
    for name, costs in found.items():
        median, least, most = statistics.median(costs), min(costs), max(costs)
        print(f"{name:20} {median:6.2f} us  ({least:.2f} to {most:.2f})")


if __name__ == "__main__":
    with Path(os.devnull).open("w", encoding="utf-8") as sys.stderr:
        log.configure_logging(level="info", log_format="json", access_log=True)
        asyncio.run(_main())
