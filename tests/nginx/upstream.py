"""A server behind nginx that tells what it was sent, byte for byte."""

import re
import socket
import socketserver
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, Thread

from service import DEADLINE_SECONDS

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Taken:
    """A request as it came."""

    head: bytes
    body: bytes

    @property
    def target(self) -> str:
        """What stands between method and version."""
        return self.head.split(b" ")[1].decode("latin-1")

    def fields(self) -> dict[str, str]:
        """Return the header fields by their lower-case names; none may be repeated."""
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        pairs = [(name.lower(), value) for name, _, value in (n.partition(": ") for n in lines)]
        assert len(dict(pairs)) == len(pairs), pairs
        return dict(pairs)


Respond = Callable[[socket.socket, Taken], bool]
"""Answers a request; returns whether the connection stays open."""


def answer(body: bytes = b"", status: str = "200 OK", *fields: str) -> Respond:
    """Return what answers so and keeps the connection."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""]

    def respond(connection: socket.socket, _taken: Taken) -> bool:
        connection.sendall("\r\n".join(head).encode() + body)
        return True

    return respond


def hang_up(_connection: socket.socket, _taken: Taken) -> bool:
    """Close the connection without a word."""
    return False


class Upstream:
    """The server; `respond` may be changed at any time."""

    def __init__(self, respond: Respond | None = None) -> None:
        self.respond = respond or answer()
        self.taken: list[Taken] = []
        self.answered = 0
        self.connections = 0
        self.ended = 0
        self._lock = Lock()
        upstream = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                upstream._serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        """Stop; connections that are open are left to their clients."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self.connections += 1
        try:
            connection.settimeout(2 * DEADLINE_SECONDS)
            while (taken := _take(connection)) is not None:
                with self._lock:
                    self.taken.append(taken)
                if not self.respond(connection, taken):
                    return
                with self._lock:
                    self.answered += 1
        except OSError:
            pass
        finally:
            with self._lock:
                self.ended += 1


def _take(connection: socket.socket) -> Taken | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    found = _LENGTH.search(head + b"\r\n")
    while found is not None and len(body) < int(found[1]):
        more = connection.recv(65536)
        if not more:
            return None
        body += more
    return Taken(head + b"\r\n\r\n", body)
