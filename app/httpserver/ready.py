"""The short road of a connection: requests that the server's owner answers from bytes at hand."""

from typing import TYPE_CHECKING

from app.httpserver.answer import Answer
from app.httpserver.channel import HEAD, WAIT, Channel
from app.httpserver.context import Context, forwarded_context
from app.httpserver.framing import ReadyRequest, RequestHead
from app.httpserver.head import Forwarded
from app.httpserver.later import Later

if TYPE_CHECKING:
    from app.httpserver.server import Server


class ReadyChannel(Channel):
    """A `Channel` that asks the ready function about each request; see `app.httpserver.Ready`."""

    __slots__ = ("_context", "_held", "_is_trusted", "waiting_head", "waiting_own")

    waiting_head: RequestHead
    """Of the request that waits for a `Later`."""

    waiting_own: str | None
    """The value of its field that is each request's own."""

    def __init__(self, server: "Server", context: Context, *, is_trusted: bool) -> None:
        super().__init__(server)
        self._context = context
        self._is_trusted = is_trusted
        self._held = bytearray()  # Input that nobody has taken yet.

    # What the other half does about it.

    def begin_exchange(self, head: RequestHead, own: str | None) -> None:
        """Let the application answer a request."""
        raise NotImplementedError

    def schedule(self) -> None:
        """Read on in the next turn of the loop."""
        raise NotImplementedError

    # Asking.

    def _begin(self, head: RequestHead, own: str | None) -> None:
        later = head.later
        answer = later if later is not None and later.is_open else self._ask(head)
        if isinstance(answer, Later):
            self.stage = WAIT
            self.waiting_head = head
            self.waiting_own = own
            answer.join(self)
        elif answer is None:
            self.begin_exchange(head, own)
        else:
            self._answer(head, answer)

    def _ask(self, head: RequestHead) -> Answer | Later | None:
        server, request = self.server, head.ready_request
        length = head.content_length
        if request is None or server.ready is None or length > len(self._held):
            return None
        if length:
            request = ReadyRequest(
                request.method, request.target, request.values, bytes(self._held[:length])
            )
        answer = server.call(server.ready, request)
        if answer is None:
            return None
        if isinstance(answer, Answer):
            del self._held[:length]
        elif isinstance(answer, Later) and answer.is_open:
            server.statistics.laters.add(answer)
            if not length:  # Equal heads with different bodies ask for different things.
                head.later = answer
        else:
            server.log_fault(TypeError(f"the ready function returned {answer!r:.200}"))
            return None
        return answer

    def _context_of(self, forwarded: Forwarded) -> Context:
        own = self._context
        return forwarded_context(own, forwarded, self.server.options) if self._is_trusted else own

    def _answer(self, head: RequestHead, answer: Answer) -> None:
        server = self.server
        server.statistics.ready_answers += 1
        body = b"" if head.start_line.method == "HEAD" else answer.body
        if head.keep_alive and not server.is_draining:
            # PERF: this is all that a ready answer costs, so nothing is called that need not be.
            self._transport.write(b"".join((answer.head, server.clock.date, b"\r\n", body)))
            self.watch(server.options.idle_seconds)
        else:
            self.send_last(answer, body)
            self.close(lingering=bool(self._held))

    # What a `Later` calls.

    @property
    def waiting_context(self) -> Context:
        """Where the request came from that waits."""
        own = self._context
        return self._context_of(self.waiting_head.forwarded) if self._is_trusted else own

    def take_whole_answer(self, data: bytes, deadline: float) -> None:
        """Send all of an answer that was waited for, to a client that goes on.

        Args:
            data: everything.
            deadline: of the client's next request.
        """
        # PERF: called for each hit, so it calls nothing that need not be.
        if self.stage is not WAIT or self._transport.is_closing():
            return
        self.stage = HEAD
        server = self.server
        server.statistics.ready_answers += 1
        self._transport.write(data)
        if not self._output.is_paused:
            self.deadline = deadline
            if deadline + 1.0 < self.slot:
                server.clock.watch(self, deadline)
        if self._held or self._at_eof:
            self._go_on()

    def take_answer(self, answer: Answer) -> None:
        """Send an answer that was waited for."""
        if self._is_waiting:
            self.stage = HEAD
            self._go_on()
            self._answer(self.waiting_head, answer)

    def take_no_answer(self) -> None:
        """Give the request that waited to the application."""
        if self._is_waiting:
            self.begin_exchange(self.waiting_head, self.waiting_own)

    def fail_waiting(self, error: Exception) -> None:
        """End a connection that could not be answered."""
        self.server.log_fault(error)
        self.abort()

    def _go_on(self) -> None:
        # The body was left where it came in, for the application if that had to answer.
        del self._held[: self.waiting_head.content_length]
        if self._held or self._at_eof:
            self.schedule()

    @property
    def _is_waiting(self) -> bool:
        """The client is still there, and waits for an answer or for the application's turn."""
        return self.stage is WAIT and not self._transport.is_closing()
