"""The way out of a connection: backpressure, and whether a slow reader still reads."""

import asyncio
import socket
import sys
from asyncio import Future

from tornado.iostream import StreamClosedError

from app.httpserver.options import Options

_TCP_INFO_BYTES = 192
_BYTES_ACKED = slice(120, 128)
"""``tcpi_bytes_acked`` of Linux's struct tcp_info, whose layout is part of its interface."""


class Output:
    """Writes to a transport and knows how much it holds.

    Attributes:
        is_paused: so much is unsent that nothing more should be written.
    """

    __slots__ = (
        "_loop",
        "_options",
        "_since",
        "_taken",
        "_transport",
        "_waiters",
        "_written",
        "is_paused",
    )

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, options: Options
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._options = options
        # Of a slow reader: when it was last looked at, what it had taken by then, and what has been
        # written since.
        self._since = 0.0
        self._taken = 0
        self._written = 0
        self._waiters: list[Future[None]] = []
        self.is_paused = False

    def write(self, data: bytes) -> "Future[None] | None":
        """Send data; return a future when the writer should wait until it is done."""
        self._written += len(data)
        self._transport.write(data)
        if not self.is_paused:
            return None
        waiter: Future[None] = self._loop.create_future()
        # A disconnect must not complain about a write that nobody waits for.
        waiter.add_done_callback(retrieve)
        self._waiters.append(waiter)
        return waiter

    def pause(self, now: float) -> None:
        """Note that the transport holds more than it should."""
        self.is_paused = True
        self.mark(now)

    def mark(self, now: float) -> None:
        """Begin to look at how much the client reads."""
        self._since = now
        self._written = 0
        self._taken = self._measure()

    def resume(self) -> None:
        """Note that it does not any more, and let the writers go on."""
        self.is_paused = False
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def fail(self) -> None:
        """Tell the writers that the connection is lost."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(StreamClosedError())

    def is_stuck(self, now: float) -> bool:
        """Tell whether the client has read too little since `mark`; if not, mark anew.

        It is given `Options.write_seconds` before that is judged.
        """
        elapsed = now - self._since
        if elapsed < self._options.write_seconds:
            return False
        taken = self._measure() - self._taken
        self.mark(now)
        return taken < elapsed * self._options.min_write_rate

    def _measure(self) -> int:
        """Return a number of bytes that grows by as many as the client takes."""
        own = self._transport.get_extra_info("socket")
        if own is not None and own.family != socket.AF_UNIX:
            # TCP's acknowledgements (tcp(7)); a TLS transport does not count all that it holds.
            info = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
            return int.from_bytes(info[_BYTES_ACKED], sys.byteorder)
        return self._written - self._transport.get_write_buffer_size()


def retrieve(future: "Future[None]") -> None:
    """Look at a future's error, so that nobody complains that nobody did."""
    if not future.cancelled():
        future.exception()
