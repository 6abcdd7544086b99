"""Whole requests as bytes, sent to a server on the test's own loop: for tests that cannot await."""

import asyncio
import json
import logging
from dataclasses import dataclass, field
from typing import Any

import pytest
from contract import check_answer
from ends import check_end
from tornado.httputil import HTTPHeaders
from tornado.ioloop import IOLoop

ANSWER_SECONDS = 120.0
"""A server silent for this long hangs; an answer takes milliseconds."""
JSON_HEADERS = [("Content-Type", "application/json")]
FORM_HEADERS = [("Content-Type", "application/x-www-form-urlencoded")]


@dataclass(frozen=True)
class Request:
    """A request that is well-formed as bytes; what it says may be nonsense."""

    method: str
    target: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    chunked: bool = False

    def encode(self) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        body = self.body
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
            chunks = [body[at : at + 1000] for at in range(0, len(body), 1000)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
            body += b"0\r\n\r\n"
        elif body or self.method in {"POST", "PUT", "PATCH"}:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Server:
    """Runs the loop that the server is on for as long as it takes to answer."""

    def __init__(self, io_loop: IOLoop, port: int, caplog: pytest.LogCaptureFixture) -> None:
        self._io_loop = io_loop
        self._port = port
        self._caplog = caplog

    def exchange(self, sent: bytes, *, end: bool) -> bytes:
        """Send bytes and return all that comes back until the server closes.

        Args:
            sent: everything the client says.
            end: whether it says so by closing its side.
        """
        self._caplog.clear()

        async def talk() -> bytes:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._talk(sent, end=end)

        received: bytes = self._io_loop.run_sync(talk)
        logged = [record for record in self._caplog.records if record.levelno >= logging.WARNING]
        assert not logged
        if not end:
            check_end(received)
        return received

    async def _talk(self, sent: bytes, *, end: bool) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        received = bytearray()
        try:
            writer.write(sent)
            if end:
                writer.write_eof()
            while chunk := await reader.read(65536):
                received += chunk
        except ConnectionError:
            pass  # A server that closes with bytes of ours unread resets the connection.
        finally:
            writer.transport.abort()
        return bytes(received)

    def call(self, request: Request) -> tuple[int, bytes]:
        """Send a request and return the status and body of its answer, checked."""
        received = self.exchange(request.encode(), end=False)
        return read_answer(request.method, request.target, received)

    def json(self, method: str, target: str, document: Any = None) -> tuple[int, Any]:
        body = b"" if document is None else json.dumps(document).encode()
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        status, answer = self.call(Request(method, target, [("Content-Type", kind)], body))
        return status, json.loads(answer) if answer else None

    def assert_serves(self) -> None:
        assert self.call(Request("GET", "/livez"))[0] == 200


def read_answer(method: str, target: str, received: bytes) -> tuple[int, bytes]:
    head, separator, body = received.partition(b"\r\n\r\n")
    assert separator, received
    start_line, _, fields = head.decode("latin-1").partition("\r\n")
    if start_line.startswith("HTTP/1.1 100 "):
        return read_answer(method, target, body)
    version, status, _ = start_line.split(" ", 2)
    assert version == "HTTP/1.1"
    check_answer(method, target, int(status), HTTPHeaders.parse(fields), body)
    return int(status), body


def add_todo(server: Server) -> str:
    _, todo = server.json("POST", "/v1/todos", {"content": "buy milk"})
    return str(todo["id"])
