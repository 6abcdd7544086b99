"""What slow clients cost the others: ``python -m benchmarks.trickle [SECONDS]``.

Clients that ask now and then are measured in pairs of rounds: alone, and while a thousand others
send a head, or read an answer, a byte at a time. Those take turns, so that they are spread over
time; a head that was cut off begins anew. The server, the slow clients and the measured ones are
processes of their own. SECONDS is the length of a round; there are 5 pairs of each kind.
"""

import asyncio
import multiprocessing
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from statistics import median, quantiles

import uvloop

from benchmarks.load_clients import (
    connections,
    raise_descriptor_limit,
    request,
)
from benchmarks.load_server import load_server

SLOW = 1000
MEASURED = 20
PAUSE_SECONDS = 0.01
"""Between an answer and the client's next request: 20 clients ask for some 1,500 per second."""

PACE_SECONDS = 0.5
"""Between two bytes of a slow client: 2,000 bytes per second in all."""

TURNS_AT_ONCE = 10
HEAD_SECONDS = 3.0
"""After which the server cuts a head off: some 300 per second, the clients that come again too."""

GROUPS = int(HEAD_SECONDS / PACE_SECONDS)
"""Heads begin one group after the other, so that they are not all cut off at once."""

BEGUN_HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Trickle: "

PAIRS = 5
SETTLE_SECONDS = 4.0
"""For the slow clients to connect, and for the first of them to be cut off."""

HOST = "127.0.0.1"


def turns() -> Iterator[int]:
    """Give the numbers of the slow clients for ever, each every `PACE_SECONDS`."""
    begun = time.perf_counter()
    for turn in count():
        if turn % TURNS_AT_ONCE == 0:
            time.sleep(max(0.0, begun + turn * PACE_SECONDS / SLOW - time.perf_counter()))
        yield turn % SLOW


def slow_heads(port: int) -> None:
    """Trickle heads; begin anew when they are cut off."""
    clients: list[socket.socket | None] = [None] * SLOW
    for turn, number in enumerate(turns()):
        client = clients[number]
        if turn // SLOW < number % GROUPS:
            continue
        if client is None:
            clients[number] = client = socket.create_connection((HOST, port), 10)
            client.setblocking(False)
            client.sendall(BEGUN_HEAD)
        elif _is_cut(client):
            client.close()
            clients[number] = None
        else:
            with suppress(ConnectionError):
                client.send(b"x")


def _is_cut(client: socket.socket) -> bool:
    try:
        client.recv(4096)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True  # The answer, which is 408, or the end.


def slow_readers(port: int) -> None:
    """Ask for large answers and read them byte by byte."""
    with connections(port, SLOW, receive_buffer_bytes=4096) as clients:
        for client in clients:
            client.sendall(request("/large"))
        for number in turns():
            clients[number].recv(1)


KINDS: dict[str, Callable[[int], None]] = {
    "heads byte by byte": slow_heads,
    "answers byte by byte": slow_readers,
}


@contextmanager
def slow_clients(kind: Callable[[int], None], port: int) -> Iterator[None]:
    """Run slow clients beside the block."""
    process = multiprocessing.get_context("spawn").Process(target=kind, args=(port,))
    process.start()
    try:
        time.sleep(SETTLE_SECONDS)
        yield
        if not process.is_alive():
            raise RuntimeError("the slow clients have ended by themselves")
    finally:
        process.kill()
        process.join()


async def latencies(port: int, target: str, seconds: float) -> list[float]:
    """Return the milliseconds that each request of the measured clients took."""
    ends = time.perf_counter() + seconds

    async def ask() -> list[float]:
        reader, writer = await asyncio.open_connection(HOST, port)
        taken = []
        while (begun := time.perf_counter()) < ends:
            writer.write(request(target))
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(f"not answered: {head!r}")
            await reader.readexactly(_content_length(head))
            taken.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(PAUSE_SECONDS)
        writer.close()
        await writer.wait_closed()
        return taken

    return [one for each in await asyncio.gather(*[ask() for _ in range(MEASURED)]) for one in each]


def _content_length(head: bytes) -> int:
    (line,) = [one for one in head.lower().split(b"\r\n") if one.startswith(b"content-length:")]
    return int(line.partition(b":")[2])


def p99(port: int, target: str, seconds: float) -> float:
    """Return the 99th percentile of `latencies`, in milliseconds."""
    return quantiles(uvloop.run(latencies(port, target, seconds)), n=100)[98]


def main(seconds: float) -> None:
    """Measure each kind of slow client on each road and print a table."""
    raise_descriptor_limit()
    print("| slow clients | road | p99 alone, ms | p99 beside them, ms | median of the ratios |")
    print("|---|---|---|---|---|")
    for name, kind in KINDS.items():
        for target in ("/", "/ready"):
            pairs = []
            for _ in range(PAIRS):
                with load_server(head_seconds=HEAD_SECONDS) as server:
                    p99(server.port, target, 0.5)
                    alone = p99(server.port, target, seconds)
                    with slow_clients(kind, server.port):
                        pairs.append((alone, p99(server.port, target, seconds)))
            columns = [
                " ".join(f"{one:.2f}" for one in column) for column in zip(*pairs, strict=True)
            ]
            ratio = median(beside / alone for alone, beside in pairs)
            print(f"| {name} | {target} | {' | '.join(columns)} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    # SIGTERM must leave by the same door as Ctrl-C, so that the server is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)
