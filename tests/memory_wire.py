"""A connection of `app.httpserver` without a socket: deterministic, and thousands per second.

The server and its `Connection` are the real ones; only the transport is this module's. It keeps the
promises that asyncio's socket transport keeps: input comes in one piece per turn of the loop and
only while reading is not paused, nothing is sent after an end, ``connection_lost`` comes last and
later. The client it stands for reads at once, so the transport never asks a writer to wait.

It needs asyncio's own loop, which can be asked whether it has anything left to do.
"""

import asyncio
from collections import deque
from typing import Any

from app.httpserver import Server
from app.httpserver.connection import Connection
from app.httpserver.context import Context


class MemoryTransport(asyncio.Transport):
    """Keeps what is written, and delivers what is put in.

    Attributes:
        output: every byte that was sent.
        delivered: bytes of input that the protocol has been given.
        has_ended: the protocol has said that it will send no more, or has closed.
        is_lost: the protocol has been told that the connection is gone.
    """

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._incoming: deque[bytes | None] = deque()
        self._is_reading = True
        self._is_closing = False
        self.output = bytearray()
        self.delivered = 0
        self.has_ended = False
        self.is_lost = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def put(self, piece: bytes | None) -> None:
        """Let the client send a piece, or None for the end of what it sends."""
        self._incoming.append(piece)
        self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        if not self._incoming or not self._is_reading or self._is_closing:
            return
        piece = self._incoming.popleft()
        if piece is not None:
            self.delivered += len(piece)
            self._protocol.data_received(piece)
        elif not self._protocol.eof_received():
            self.close()

    def is_reading(self) -> bool:
        return self._is_reading

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True
        for _ in self._incoming:
            self._loop.call_soon(self._deliver)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: no output is ever held."""

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_closing:
            return
        if self.has_ended:
            raise RuntimeError("Cannot call write() after write_eof()")
        self.output += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_ended = True

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = self.has_ended = True
            self._loop.call_soon(self._lose)

    def abort(self) -> None:
        self.close()

    def _lose(self) -> None:
        self.is_lost = True
        self._protocol.connection_lost(None)


class Wire:
    """A client of a server."""

    def __init__(self, server: Server) -> None:
        """Connect; to be called on the server's loop."""
        self.connection = Connection(server, Context("127.0.0.1", "http"), is_trusted=False)
        self.transport = MemoryTransport(self.connection)
        self.connection.connection_made(self.transport)

    @property
    def consumed(self) -> int:
        """Bytes of input that the server has taken off its buffer."""
        return self.transport.delivered - len(self.connection._held)

    async def send(self, pieces: list[bytes]) -> None:
        """Send pieces one by one; return when the server has done all it can about them."""
        for piece in pieces:
            self.transport.put(piece)
        await settle()

    async def end(self) -> None:
        """Close the client's side; return when the server has done all it can about that."""
        self.transport.put(None)
        await settle()


async def settle() -> None:
    """Let the loop run until nothing is left that could run without new input."""
    ready: deque[asyncio.Handle] = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    while ready:  # noqa: ASYNC110 - there is no event for a loop with nothing to do.
        await asyncio.sleep(0)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return the data in pieces, cut at these places; none of them is empty."""
    places = sorted({cut for cut in cuts if 0 < cut < len(data)})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True) if a < b]
