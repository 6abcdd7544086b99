"""The socket's side of a connection: stages, deadlines, output and the ways to end."""

import asyncio
import select
from asyncio import Future
from contextlib import suppress
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, cast

from app.httpserver import encoding
from app.httpserver.answer import Answer
from app.httpserver.clock import Clock
from app.httpserver.output import Output

if TYPE_CHECKING:
    import ssl

    from app.httpserver.server import Server


class Stage(Enum):
    """What a connection does: HEAD, WAIT and REQUEST in turns, until LINGER and CLOSED."""

    HEAD = "waits for or reads the head of a request"
    WAIT = "has a head, and waits for the application's turn or for a ready answer"
    REQUEST = "reads the body and waits for the answer"
    LINGER = "has sent its last answer and drops what still comes in"
    CLOSED = "is closed, or handed over"


# PERF: up to Python 3.11 looking a member up in its class runs Python code.
HEAD, WAIT, REQUEST, LINGER, CLOSED = Stage


class Channel(asyncio.Protocol):
    """The part of a connection that knows no request; `Connection` is built on it."""

    __slots__ = (
        "_at_eof", "_dropped", "_is_flushed", "_is_reading_paused", "_output", "_transport",
        "deadline", "server", "slot", "stage",
    )  # fmt: skip

    _transport: asyncio.Transport
    _output: Output

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.stage = HEAD
        self._at_eof = False  # The client has closed its side, and may still read.
        self._is_reading_paused = False
        # While lingering.
        self._dropped = 0  # Bytes that came in.
        self._is_flushed = False  # The last answer has been sent for some time.
        # The clock's; see `Clock.watch`.
        self.deadline = inf
        self.slot = Clock.NO_SLOT

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the first head is waited for no longer than the rest of one would be."""
        options = self.server.options
        # A stream's transport, though uvloop's is no instance of the class.
        self._transport = cast("asyncio.Transport", transport)
        self._output = Output(self._transport, self.server.loop, options)
        self._transport.set_write_buffer_limits(high=options.write_buffer_bytes)
        self.server.opened(self)
        self.watch(options.head_seconds)

    def pause_writing(self) -> None:
        """Let whoever writes wait: the client reads too slowly."""
        self._set_deadline(self.server.options.write_seconds)
        self._output.pause(self.server.clock.now)

    def resume_writing(self) -> None:
        """Let them go on."""
        self._output.resume()
        if self.stage is not LINGER:
            self.on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        self.stage = CLOSED
        self.server.clock.forget(self)
        self._output.fail()
        self.on_lost()
        self.server.closed(self)

    # What the other half does about it.

    def on_writable(self) -> None:
        """Go on: the client has read most of what was unsent."""
        raise NotImplementedError

    def on_lost(self) -> None:
        """Let go of everything: the connection is gone."""
        raise NotImplementedError

    def is_idle(self) -> bool:
        """Tell whether the connection may be closed: nobody waits for anything."""
        raise NotImplementedError

    def on_late(self) -> None:
        """Act on a deadline of the stage, which is neither LINGER nor CLOSED."""
        raise NotImplementedError

    # Writing.

    def send(self, data: bytes) -> "Future[None]":
        """Send a part of a response; return when more should be written."""
        if self.is_closing:
            return self.server.closed_future()
        return self._output.write(data) or self.server.done

    def send_last(self, answer: Answer, body: bytes) -> None:
        """Send a whole response after which the connection is closed."""
        date, close = self.server.clock.date, encoding.CONNECTION_CLOSE
        self._transport.write(b"".join((answer.head, date, close, b"\r\n", body)))

    def tls(self) -> "ssl.SSLObject | None":
        """Return the TLS side of the connection, if it has one."""
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        return tls

    @property
    def at_eof(self) -> bool:
        """The client has closed its side."""
        return self._at_eof

    @property
    def is_closing(self) -> bool:
        """Nothing can be written any more."""
        return self.stage is CLOSED or self._transport.is_closing()

    # Reading.

    def pause_reading(self) -> None:
        """Take no more input for now."""
        if not self._is_reading_paused:
            self._is_reading_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take input again."""
        if self._is_reading_paused:
            self._is_reading_paused = False
            self._transport.resume_reading()

    # Ending.

    def close(self, *, lingering: bool = False) -> None:
        """Send what is unsent, then close.

        Args:
            lingering: read on for a while. Closing a socket with unread input resets it, and the
                client may lose the answer that it has not read yet (RFC 9112, section 9.6).
        """
        if self.stage in (LINGER, CLOSED):
            return
        self.stage = LINGER
        if lingering and not self._at_eof and self._transport.can_write_eof():
            # The client may be gone already, and the kernel knows.
            with suppress(OSError):
                self._transport.write_eof()
            self.resume_reading()
        else:
            self._transport.close()
        self._output.mark(self.server.clock.now)
        self._set_deadline(self.server.options.linger_seconds)

    def close_if_idle(self) -> None:
        """Close, unless a request is under way or waits in the kernel to be read."""
        if self.is_idle() and not self._has_unread():
            self.close()

    def _has_unread(self) -> bool:
        own = self._transport.get_extra_info("socket")
        if own is None:  # Without one there is no kernel between client and server.
            return False
        poll = select.poll()
        poll.register(own.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def abort(self) -> None:
        """Close at once, whatever is unsent."""
        self._transport.abort()

    def drop(self, data: bytes) -> None:
        """Throw away what comes in while lingering, up to a limit."""
        self._dropped += len(data)
        if self._dropped > self.server.options.linger_bytes:
            self.abort()

    def watch(self, seconds: float) -> None:
        """Let the stage expire after some time; inf means never.

        While the client reads too slowly that deadline stands; `on_writable` sets the stage's.
        """
        if not self._output.is_paused:
            self._set_deadline(seconds)

    def _set_deadline(self, seconds: float) -> None:
        clock = self.server.clock
        deadline = self.deadline = clock.now + seconds
        if deadline + 1.0 < self.slot:  # A later one is found out about in the slot it has.
            clock.watch(self, deadline)

    def expire(self) -> None:
        """Act on a deadline; called by the clock, whom no error may stop."""
        try:
            if self.stage is LINGER:
                self._end_lingering()
            elif self._output.is_paused:
                if not self._cut_off_if_stuck():
                    self._set_deadline(self.server.options.write_seconds)
            elif self.stage is not CLOSED:
                self.on_late()
        except Exception as error:  # noqa: BLE001 - all other connections wait for their turn.
            self.server.log_fault(error)
            self.abort()

    def _cut_off_if_stuck(self) -> bool:
        is_stuck = self._output.is_stuck(self.server.clock.now)
        if is_stuck:
            self.server.statistics.slow_readers += 1
            self.abort()
        return is_stuck

    def _end_lingering(self) -> None:
        """Give the last answer the time that its reader needs, and then the time to linger."""
        # A TLS transport holds more than it counts, and closes itself when all of it is sent.
        has_unsent = self._transport.get_write_buffer_size() > 0 or self.tls() is not None
        if has_unsent and self._cut_off_if_stuck():
            return
        if has_unsent or not self._is_flushed:
            self._is_flushed = not has_unsent
            self._set_deadline(self.server.options.linger_seconds)
        else:
            self.abort()
