"""A client in memory: a transport that keeps what is written, and delivers what a test sends.

It keeps the promises that asyncio makes to a protocol: nothing is delivered while reading is
paused, ``pause_writing`` and ``resume_writing`` follow the limits, ``connection_lost`` comes once,
later, and after it nothing.
"""

import asyncio
from collections import deque
from typing import Any

from app.httpserver import Server
from app.httpserver.connection import Connection
from app.httpserver.context import Context


class RecordingTransport(asyncio.Transport):
    """The transport of one `Connection`, and the client at its other end.

    Attributes:
        received: what has reached the client.
        has_ended: the server has closed its sending side, or the connection.
        was_aborted: it did so without sending what was unsent.
    """

    def __init__(self, server: Server, *, ip: str = "192.0.2.1", client_reads: bool = True) -> None:
        super().__init__()
        self.received = bytearray()
        self.has_ended = False
        self.was_aborted = False
        self._client_reads = client_reads
        self._unsent = bytearray()
        self._high = 65_536
        self._is_paused = False
        self._is_closing = False
        self._is_lost = False
        self._is_reading = True
        self._to_deliver: deque[bytes | None] = deque()
        self._loop = server.loop
        self.connection = Connection(server, Context(ip, "http"), is_trusted=False)
        self.connection.connection_made(self)

    # What the client does.

    def send(self, data: bytes) -> None:
        """Send bytes, which arrive at once unless the server has paused reading."""
        self._to_deliver.append(data)
        self._deliver()

    def send_eof(self) -> None:
        """Close the client's sending side."""
        self._to_deliver.append(None)
        self._deliver()

    def take(self, size: int) -> None:
        """Read some of what is unsent."""
        self.received += self._unsent[:size]
        del self._unsent[:size]
        if self._is_paused and len(self._unsent) <= self._high // 4:
            self._is_paused = False
            self.connection.resume_writing()
        if self._is_closing and not self._unsent:
            self._lose()

    def _deliver(self) -> None:
        while self._to_deliver and self._is_reading and not self._is_closing:
            data = self._to_deliver.popleft()
            if data is not None:
                self.connection.data_received(data)
            elif not self.connection.eof_received():
                self.close()

    def _lose(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._loop.call_soon(self.connection.connection_lost, None)

    # What the server does.

    def write(self, data: Any) -> None:
        if self.has_ended:
            return
        if self._client_reads:
            self.received += data
            return
        self._unsent += data
        if len(self._unsent) > self._high and not self._is_paused:
            self._is_paused = True
            self.connection.pause_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_ended = True

    def close(self) -> None:
        self.has_ended = True
        self._is_closing = True
        if not self._unsent:
            self._lose()

    def abort(self) -> None:
        self.was_aborted = True
        self._unsent.clear()
        self.close()

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True
        self._loop.call_soon(self._deliver)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high or self._high

    def get_write_buffer_size(self) -> int:
        return len(self._unsent)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default
