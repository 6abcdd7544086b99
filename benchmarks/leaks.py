"""What is left of a million requests: ``python -m benchmarks.leaks [REQUESTS]``.

Runs a server in a process of its own, on each road, and compares what it holds after some requests
with what it holds after all. Most requests go out alone, as clients send them, the rest in
pipelines; each connection sends a thousand. Takes about 3 minutes for a million on one road.
"""

import signal
import sys
import time

from benchmarks.load_clients import repeat
from benchmarks.load_server import LoadServer, State, load_server

ROADS = {"RequestHandler": "/", "ready answer": "/ready"}
PER_CONNECTION = 1000
PIPELINED = 50
WARM_UP = 5000
MIB = 1024 * 1024


def compare(server: LoadServer, target: str, requests: int) -> tuple[State, State]:
    """Return a server's state before and after this many requests.

    Raises:
        RuntimeError: a request was not answered with 200.
    """
    _send(server, target, WARM_UP)
    before = server.state()
    _send(server, target, requests)
    return before, server.state()


def _send(server: LoadServer, target: str, requests: int) -> None:
    pipelined = requests // 5
    answered = repeat(server.port, target, pipelined, per_connection=1000, at_once=PIPELINED)
    answered += repeat(server.port, target, requests - pipelined, per_connection=PER_CONNECTION)
    if answered != requests:
        raise RuntimeError(f"{answered} of {requests} requests were answered")


def main(requests: int) -> None:
    """Measure each road and print a table."""
    print("| road | requests | s | RSS, MiB | descriptors | tasks | gc objects |")
    print("|---|---|---|---|---|---|---|")
    for road, target in ROADS.items():
        with load_server() as server:
            started = time.perf_counter()
            before, after = compare(server, target, requests)
            seconds = time.perf_counter() - started
        rss = f"{before.rss_bytes / MIB:.1f} -> {after.rss_bytes / MIB:.1f}"
        held = [
            f"{getattr(before, name)} -> {getattr(after, name)}"
            for name in ("descriptors", "tasks", "objects")
        ]
        print(f"| {road} | {requests} | {seconds:.0f} | {rss} | {' | '.join(held)} |")


if __name__ == "__main__":
    # SIGTERM must leave by the same door as Ctrl-C, so that the server is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
