"""One client's connection: requests in, in order; responses out, in the same order.

Input is held until it is the turn of the request that it belongs to. So there is one exchange at a
time, a pipeline costs the memory of its bytes, and no answer can overtake another.
"""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tornado.httputil import HTTPInputError
from tornado.iostream import IOStream

from app.httpserver.channel import CLOSED, HEAD, LINGER, REQUEST, WAIT
from app.httpserver.detaching import closed_stream, detach_stream
from app.httpserver.exchange import Exchange
from app.httpserver.heads import HeadInput
from app.httpserver.ready import ReadyChannel
from app.httpserver.refusal import Refusal, bad_request, request_timeout

if TYPE_CHECKING:
    from app.httpserver.context import Context
    from app.httpserver.framing import RequestHead
    from app.httpserver.response import Response
    from app.httpserver.server import Server

_REQUESTS_PER_TURN = 16  # Then other connections have their turn.


class Connection(ReadyChannel):
    """The protocol of one accepted socket; Tornado's ``server_conn``."""

    __slots__ = (
        "_exchange", "_heads", "_is_scheduled", "_recall",
    )  # fmt: skip

    def __init__(self, server: "Server", context: "Context", *, is_trusted: bool) -> None:
        super().__init__(server, context, is_trusted=is_trusted)
        self._recall = server.heads.get
        self._heads = HeadInput(server.heads)
        self._is_scheduled = False  # `advance` will be called in the next turn of the loop.
        self._exchange: Exchange | None = None

    # What the transport and the clock call.

    def data_received(self, data: bytes) -> None:
        """Take input."""
        if self.stage is HEAD and not self._held and not self._output.is_paused:
            # PERF: a head that was read before is one look into a dictionary (docs/decisions/0005),
            # and who joins a `Later` saves the 0.12 us that `_begin` takes to do it, of some 11.
            head = self._recall(data)
            if head is not None:
                later = head.later
                if later is not None and later.is_open:
                    self.stage = WAIT
                    self.waiting_head = head
                    self.waiting_own = None
                    later.join(self)
                else:
                    self._begin(head, None)
                return
        if self.stage is LINGER:
            self.drop(data)
            return
        self._held += data
        self.advance()
        # A head has limits of its own, and must be able to arrive.
        if len(self._held) > self.server.options.max_held_bytes and not self._heads.is_partial:
            self.pause_reading()

    def eof_received(self) -> bool:
        """Answer what is complete, and tell the application: most clients that close are gone."""
        self._at_eof = True
        if self._exchange is not None and self._exchange.is_read:
            # Not before the handler has begun, which it does in a task.
            self.server.loop.call_soon(self._exchange.tell_closed)
        self.advance()
        # Over TLS both sides close together.
        return self.tls() is None and self.stage is not LINGER

    def on_writable(self) -> None:
        """Set the stage's deadline, which made way for the slow reader's, and go on."""
        if self._exchange is not None:
            self._exchange.watch()
        elif self.stage is HEAD:
            self.watch(self.server.idle_seconds)
            self.schedule()

    def on_lost(self) -> None:
        """Tell the application."""
        self._held.clear()
        self._drop_exchange()

    def on_late(self) -> None:
        """Refuse what comes too slowly, close what is idle."""
        if self._exchange is not None:
            if self._exchange.is_late(self.server.clock.now):
                self.refuse(request_timeout("The body is late."))
        elif self.stage is HEAD and self._held:
            refusal = request_timeout("The head of the request is late.")
            self._heads.describe(refusal, self._held)
            self.refuse(refusal)
        elif self.stage is HEAD:
            self.watch(self.server.options.head_seconds)
            self.close_if_idle()  # What that does not close has sent a head, or part of one.

    # Reading.

    @property
    def has_input(self) -> bool:
        """There is input that nobody has taken yet."""
        return bool(self._held)

    def advance(self) -> None:
        """Read on, as far as the input, the application and the client's reading allow."""
        self._is_scheduled, begun = False, 0
        try:
            while self._held and not self.is_closing:
                if self._exchange is not None:
                    if self._exchange.is_waiting or not self._exchange.read(self._held):
                        break
                elif self.stage is not HEAD or self._output.is_paused:
                    break
                elif begun == _REQUESTS_PER_TURN:
                    self.schedule()
                    break
                elif not self._read_head():
                    break
                else:
                    begun += 1
        except Refusal as refusal:
            self.refuse(refusal)
        if len(self._held) <= self.server.options.max_held_bytes or self._heads.is_partial:
            self.resume_reading()
        if self._at_eof and not self._is_scheduled and not self.is_closing:
            self._end_at_eof()

    def schedule(self) -> None:
        """Read on in the next turn of the loop."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self.server.loop.call_soon(self.advance)

    def _read_head(self) -> bool:
        was_partial = self._heads.is_partial
        found = self._heads.take(self._held)
        if found is not None:
            self._begin(*found)
        elif not was_partial:
            self.server.clock.refresh()
            self.watch(self.server.options.head_seconds)
        return found is not None

    def _end_at_eof(self) -> None:
        """Close, unless something that was sent in time is yet to be answered."""
        if self.stage is HEAD and not self._output.is_paused:
            self.close()
        elif self._exchange and not (self._exchange.is_read or self._exchange.is_waiting):
            self._drop_exchange()  # Never finish(): the body is not complete (gunicorn < 26.1).
            self.close()

    def begin_exchange(self, head: "RequestHead", own: str | None) -> None:
        """Open an exchange when it is this request's turn."""
        if own is not None and head.own is None:  # It was put aside; the application sees it.
            fields = (*head.fields, (self.server.own_field, own))
            head = replace(head, fields=fields, own=own)
        self.stage = WAIT
        self.server.statistics.begun += 1
        self.server.turns.take(partial(self._open_exchange, head))

    def _open_exchange(self, head: "RequestHead") -> bool:
        if not self._is_waiting:
            self.server.statistics.begun -= 1
            return False
        self.stage = REQUEST
        self._exchange = Exchange(self, head, self._context_of(head.forwarded))
        self.server.statistics.exchanges += 1
        self._exchange.begin()
        if self._held or self._at_eof:
            self.schedule()
        return True

    # What an exchange calls.

    def exchange_finished(self) -> None:
        """Go on after a response and the body before it, or close: as the response has said."""
        exchange = self._exchange
        if exchange is None:
            return
        has_all = exchange.has_all
        if exchange.keep_alive and not has_all and not self.is_closing:
            exchange.skip_body()
        else:
            self._drop_exchange()  # It has to hear of the end of its request, if not by finish().
            if self.is_closing:
                return
            if not exchange.keep_alive:
                self.close(lingering=not has_all or bool(self._held))
                return
            self.stage = HEAD
            self.watch(self.server.idle_seconds)
        if self._held or self._at_eof:
            self.schedule()

    def detach(self, response: "Response", greeting: bytes) -> IOStream:
        """Give the socket away, with the input that has not been read."""
        if self._exchange not in (None, response) or self.stage is WAIT or self.is_closing:
            return closed_stream()
        held, self._held = bytes(self._held), bytearray()
        if (exchange := self._end_exchange()) is not None:
            exchange.end()
        self.stage = CLOSED
        stream = detach_stream(self._transport, held, greeting)
        if self._transport.get_protocol() is not self:
            self.connection_lost(None)  # Nobody else would tell.
        return stream

    def fail(self, error: BaseException) -> None:
        """End what the application cannot go on with."""
        if isinstance(error, HTTPInputError):
            self.refuse(bad_request("The request is malformed."))
        else:
            self.server.log_fault(error)
            self._drop_exchange()
            self.abort()

    def refuse(self, refusal: Refusal) -> None:
        """Answer a request that cannot be served, unless its answer has begun, and close."""
        if self.stage in (LINGER, CLOSED):
            return
        context, has_begun = self._context_of(refusal.forwarded), False
        if self._exchange is not None:
            context, has_begun = self._exchange.context, self._exchange.has_head
            refusal.start_line = self._exchange.head.start_line
            refusal.request_fields = self._exchange.head.fields
            self._drop_exchange()
        if not has_begun:
            answer = self.server.render(refusal, context)
            is_head = refusal.start_line is not None and refusal.start_line.method == "HEAD"
            self.send_last(answer, b"" if is_head else answer.body)
        self.close(lingering=True)

    def close(self, *, lingering: bool = False) -> None:
        """Let go of the input as well; see `Channel.close`."""
        self._held.clear()
        super().close(lingering=lingering)

    def is_idle(self) -> bool:
        """Tell whether no request is being read or answered."""
        return self.stage is HEAD and not self._held

    def _drop_exchange(self) -> None:
        if (exchange := self._end_exchange()) is not None:
            exchange.abandon()

    def _end_exchange(self) -> Exchange | None:
        exchange, self._exchange = self._exchange, None
        self.server.statistics.begun -= exchange is not None
        return exchange
