"""Asks a server at a constant rate, whatever becomes of the answers: an open loop.

``python -m benchmarks.open_loop --port 8080 --rate 1000 --seconds 5 --writes 10`` prints what it
saw as JSON. A latency is from when a request was due, not from when a connection was free for it,
so what waits because the server is slow is counted (Tene, "How NOT to Measure Latency", 2013).
"""

import argparse
import asyncio
import gc
import json
import math
import random
import re
import sys
from asyncio import Protocol, Transport
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import cast
from urllib.parse import urlencode

import uvloop

from benchmarks.cache_backends import WRITTEN
from benchmarks.peers.body import TARGET

TIMEOUT_SECONDS = 2.0
"""After which a client has given up, as wrk counts it."""

WARM_UP_SECONDS = 1.0
"""At the same rate; what is due then is not counted."""

_FORM = urlencode({"content": WRITTEN}).encode()
_READ = f"GET {TARGET} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
_WRITE = (
    f"POST {TARGET} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(_FORM)}\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
).encode() + _FORM
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_OPEN_AT_ONCE = 50


@dataclass(frozen=True)
class Seen:
    """What became of the requests of one run."""

    sent: int
    """That were due."""

    requests_per_second: float
    """Answered with 2xx, in time."""

    p50_milliseconds: float
    p99_milliseconds: float
    longest_milliseconds: float
    errors: dict[str, int] = field(default_factory=dict)
    """Counts above 0 of: status, timeout, connection."""


class _Client(Protocol):
    """One connection; one request at a time."""

    transport: Transport

    def __init__(self, run: "_Run") -> None:
        self._run = run
        self._due = 0.0
        self._data = b""
        self.is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("Transport", transport)

    def ask(self, due: float) -> None:
        self._due, self.is_busy = due, True
        is_write = self._run.random.random() * 100 < self._run.writes
        self.transport.write(_WRITE if is_write else _READ)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        length = _LENGTH.search(head)
        if length is None or len(body) < int(length[1]):
            return
        self._data, self.is_busy = b"", False
        self._run.answered(self, self._due, is_well=head.startswith(b"HTTP/1.1 2"))

    def connection_lost(self, _: Exception | None) -> None:
        if self.is_busy:
            self._run.lost(self._due)
        self._run.forget(self)


class _Run:
    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self.writes: int = given.writes
        self.random = random.Random(0)  # noqa: S311 - no secret.
        self._free: list[_Client] = []
        self._waiting: deque[float] = deque()
        self._counted_from = math.inf
        self._seconds: list[float] = []
        self._errors: Counter[str] = Counter()
        self._under_way: set[float] = set()

    async def run(self) -> Seen:
        await self._connect()
        gc.freeze()
        rate, seconds = self._given.rate, self._given.seconds
        begun = perf_counter()
        self._counted_from = begun + WARM_UP_SECONDS
        warm, total = round(rate * WARM_UP_SECONDS), round(rate * seconds)
        for number in range(warm + total):
            # The middle of its interval, so that rounding puts none on the other side of a border.
            due = begun + (number + 0.5) / rate
            if (delay := due - perf_counter()) > 0:
                await asyncio.sleep(delay)
            self._give_up(perf_counter())
            self._ask(due)
        await asyncio.sleep(TIMEOUT_SECONDS)
        for due in (*self._waiting, *self._under_way):
            self._note_error("timeout", due)
        return self._sum_up(total)

    async def _connect(self) -> None:
        loop, where = asyncio.get_running_loop(), ("127.0.0.1", self._given.port)
        for opened in range(0, self._given.connections, _OPEN_AT_ONCE):
            number = min(_OPEN_AT_ONCE, self._given.connections - opened)
            made = (loop.create_connection(lambda: _Client(self), *where) for _ in range(number))
            self._free += [client for _, client in await asyncio.gather(*made)]

    def _give_up(self, now: float) -> None:
        while self._waiting and now - self._waiting[0] > TIMEOUT_SECONDS:
            self._note_error("timeout", self._waiting.popleft())

    def _note_error(self, name: str, due: float) -> None:
        if due >= self._counted_from:
            self._errors[name] += 1

    def _ask(self, due: float) -> None:
        if not self._free:
            self._waiting.append(due)
            return
        self._under_way.add(due)
        self._free.pop().ask(due)

    def answered(self, client: _Client, due: float, *, is_well: bool) -> None:
        seconds = perf_counter() - due
        self._under_way.remove(due)
        if not is_well:
            self._note_error("status", due)
        elif seconds > TIMEOUT_SECONDS:
            self._note_error("timeout", due)
        elif due >= self._counted_from:
            self._seconds.append(seconds)
        self._free.append(client)
        if self._waiting:
            self._ask(self._waiting.popleft())

    def lost(self, due: float) -> None:
        self._under_way.remove(due)
        self._note_error("connection", due)

    def forget(self, client: _Client) -> None:
        if client in self._free:
            self._free.remove(client)

    def _sum_up(self, total: int) -> Seen:
        # Who was not answered in time waited at least so long.
        seconds = sorted([*self._seconds, *[TIMEOUT_SECONDS] * (total - len(self._seconds))])
        return Seen(
            sent=total,
            requests_per_second=len(self._seconds) / self._given.seconds,
            p50_milliseconds=1000 * seconds[total // 2],
            p99_milliseconds=1000 * seconds[math.ceil(total * 0.99) - 1],
            longest_milliseconds=1000 * seconds[-1],
            errors=dict(+self._errors),
        )


def main() -> None:
    """Run once and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="requests in a second")
    parser.add_argument("--seconds", type=float, default=5.0, help="default 5")
    parser.add_argument("--connections", type=int, default=1000, help="default 1000")
    parser.add_argument("--writes", type=int, default=0, help="of 100 requests; default 0")
    seen = uvloop.run(_Run(parser.parse_args()).run())
    json.dump(asdict(seen), sys.stdout)


if __name__ == "__main__":
    main()
