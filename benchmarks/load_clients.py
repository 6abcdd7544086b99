"""Clients that are many, slow or hasty; plain sockets, so that they cost little themselves."""

import resource
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from threading import Thread

HOST = "127.0.0.1"
SOCKET_SECONDS = 60.0
"""After which a client gives a silent server up."""

PACE_SECONDS = 0.05
"""Between two bytes of a client that trickles."""

_SPARE_DESCRIPTORS = 500
_TRICKLED = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Trickle: "


def raise_descriptor_limit() -> int:
    """Raise this process's soft limit to the hard one; return what is left for clients."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard - _SPARE_DESCRIPTORS


def request(target: str) -> bytes:
    """Return a GET request."""
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@contextmanager
def connections(
    port: int, count: int, *, receive_buffer_bytes: int | None = None
) -> Iterator[list[socket.socket]]:
    """Open many connections and close them after the block."""
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            own = socket.socket()
            opened.append(own)
            if receive_buffer_bytes is not None:
                own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
            own.settimeout(SOCKET_SECONDS)
            own.connect((HOST, port))
        yield opened
    finally:
        for own in opened:
            own.close()


def call_each(clients: list[socket.socket], target: str) -> list[bytes]:
    """Send a request on each connection, then read an answer from each."""
    for client in clients:
        client.sendall(request(target))
    return [client.recv(4096) for client in clients]


def pipeline(port: int, target: str, count: int) -> list[bytes]:
    """Send requests for ``target?0``, ``target?1``... in one write; return the answers' bodies."""
    sent = b"".join(request(f"{target}?{number}") for number in range(count))
    with connections(port, 1) as (client,):
        # A thread sends: the server reads no further while its answers are not read.
        sender = Thread(target=client.sendall, args=(sent,))
        sender.start()
        with client.makefile("rb") as answers:
            bodies = [_read_answer(answers) for _ in range(count)]
        sender.join()
    return bodies


def repeat(port: int, target: str, count: int, *, per_connection: int, at_once: int = 1) -> int:
    """Send the same request many times; return how many were answered with 200.

    Args:
        port: of the server on 127.0.0.1.
        target: what is asked for.
        count: of requests, in all.
        per_connection: requests after which a new connection is opened.
        at_once: requests that are sent before their answers are read.
    """
    answered = 0
    for _ in range(count // per_connection):
        with connections(port, 1) as (client,), client.makefile("rb") as answers:
            for _ in range(per_connection // at_once):
                client.sendall(request(target) * at_once)
                for _ in range(at_once):
                    _read_answer(answers)
                    answered += 1
    return answered


def _read_answer(answers: BufferedReader) -> bytes:
    """Read an answer with a Content-Length.

    Raises:
        RuntimeError: it is no 200.
    """
    status = answers.readline()
    if not status.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"not answered: {status!r}")
    length = 0
    while (line := answers.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return answers.read(length)


def trickle_heads(port: int, count: int) -> list[bytes]:
    """Send heads that never end, a byte at a time; return what each connection was answered.

    Returns when the server has answered all of them.
    """
    with connections(port, count) as clients:
        waiting = {client.fileno(): client for client in clients}
        poll = select.poll()
        for number in waiting:
            poll.register(number, select.POLLIN)
        answers = []
        sent = 0
        while waiting:
            byte = _TRICKLED[sent : sent + 1] or b"x"
            sent += 1
            for client in waiting.values():
                with suppress(ConnectionError):
                    client.send(byte)
            for number, _ in poll.poll(PACE_SECONDS * 1000):
                poll.unregister(number)
                answers.append(waiting.pop(number).recv(4096))
    return answers


def trickle_reads(clients: list[socket.socket], rounds: int) -> int:
    """Read a byte from each connection, that many times; return the bytes read."""
    read = 0
    for _ in range(rounds):
        for client in clients:
            read += len(client.recv(1))
    return read
