"""A client that sends exactly the bytes it is given, on the running event loop."""

import asyncio
import socket
import ssl
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ends import check_end, check_goes_on

_LIMIT_BYTES = 65536
_NO_BODY = (204, 304)


def request(
    target: str, *fields: str, method: str = "GET", body: bytes = b"", version: str = "1.1"
) -> bytes:
    """Return a request as bytes; Host is added, and Content-Length where there is a body."""
    lines = [f"{method} {target} HTTP/{version}", "Host: localhost", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True)
class Received:
    """A response as it was read; names of fields are lower-case."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return the values of a field."""
        return [value for key, value in self.fields if key == name]

    @property
    def closes(self) -> bool:
        """The server says that it ends the connection."""
        return self.all("connection") == ["close"]


class Client:
    """A connection to a server; use it with ``async with``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._last: Received | None = None
        self._is_half_closed = False

    @classmethod
    async def connect(
        cls,
        port: int,
        *,
        address: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        receive_buffer_bytes: int | None = None,
        send_buffer_bytes: int | None = None,
    ) -> Self:
        """Connect; small buffers make a client that is slow as soon as it does not read or send."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        own = socket.socket(family)
        own.setblocking(False)
        if receive_buffer_bytes is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        if send_buffer_bytes is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        await asyncio.get_running_loop().sock_connect(own, (address, port))
        name = "localhost" if tls is not None else None
        limit = receive_buffer_bytes or _LIMIT_BYTES
        return cls(
            *await asyncio.open_connection(sock=own, ssl=tls, server_hostname=name, limit=limit)
        )

    @classmethod
    async def connect_unix(cls, path: Path) -> Self:
        """Connect to a Unix socket."""
        return cls(*await asyncio.open_unix_connection(path))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def send(self, data: bytes) -> None:
        """Send as soon as the server takes it."""
        self.writer.write(data)

    async def call(self, data: bytes, *, method: str = "GET") -> Received:
        """Send a request and return its response."""
        self.send(data)
        return await self.receive(method=method)

    async def receive(self, *, method: str = "GET") -> Received:
        """Read one final response to a method; raises IncompleteReadError where it is cut off.

        It must say so if the connection ends behind it.
        """
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        version, status, _ = head[0].split(" ", 2)
        assert version == "HTTP/1.1"
        fields = [(name.lower(), value) for name, value in _split(head[1:-2])]
        body = await self._body(method, int(status), dict(fields))
        self._last = Received(int(status), fields, body)
        if not self._last.closes and not self._is_half_closed:
            await check_goes_on(self._reader)
        return self._last

    async def receive_exactly(self, size: int) -> bytes:
        """Read that many bytes."""
        return await self._reader.readexactly(size)

    async def rest(self, *, why: str = "") -> bytes:
        """Read until the server closes its side; raises ConnectionResetError where it resets.

        Args:
            why: the server may close though its last answer has not said so.
        """
        data = await self._reader.read()
        if not why and not self._is_half_closed:
            check_end(data)
            assert data or self._last is None or self._last.closes, "closed without a word"
        return data

    def half_close(self) -> None:
        """Send nothing more, and go on reading."""
        self._is_half_closed = True
        self.writer.write_eof()

    def reset(self) -> None:
        """Vanish: the server's next write fails."""
        own = self.writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        """Close; a server that has reset the connection is no error here."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    async def _body(self, method: str, status: int, fields: dict[str, str]) -> bytes:
        if method == "HEAD" or status in _NO_BODY:
            return b""
        if fields.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                body += await self._reader.readexactly(size)
                end = await self._reader.readexactly(2)
                assert end == b"\r\n"
            end = await self._reader.readexactly(2)
            assert end == b"\r\n"
            return body
        if "content-length" in fields:
            return await self._reader.readexactly(int(fields["content-length"]))
        return await self._reader.read()


def _split(lines: list[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
