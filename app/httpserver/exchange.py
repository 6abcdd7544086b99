"""One request and its response: gives the application what has come in, as fast as it takes it."""

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Callable
from math import inf
from typing import TYPE_CHECKING

from app.httpserver import encoding
from app.httpserver.body import BodyReader
from app.httpserver.context import Context
from app.httpserver.framing import RequestHead
from app.httpserver.output import retrieve
from app.httpserver.refusal import Refusal
from app.httpserver.request_headers import request_headers
from app.httpserver.response import Response

if TYPE_CHECKING:
    from tornado.httputil import HTTPMessageDelegate

    from app.httpserver.connection import Connection


class Exchange(Response):
    """Calls a `tornado.httputil.HTTPMessageDelegate` in the order that Tornado promises it.

    That is ``headers_received``, ``data_received`` any number of times, and then either ``finish``
    or ``on_connection_close``. Nothing is called while an awaitable of the former two is pending.
    """

    def __init__(self, connection: "Connection", head: RequestHead, context: Context) -> None:
        super().__init__(connection, head, context)
        self._delegate: HTTPMessageDelegate | None = None
        self._body: BodyReader | None = None
        self._waiting: Future[None] | None = None
        self.is_read = False  # The application has been given all of the request.

    @property
    def is_waiting(self) -> bool:
        """The application wants no more for now."""
        return self._waiting is not None

    @property
    def has_all(self) -> bool:
        """The last byte of the request has been taken, whether or not the application wants it."""
        if self._body is not None:
            return self._body.is_complete
        return self.is_read or not self.head.has_body

    def begin(self) -> None:
        """Give the application the head."""
        self._give(self._give_head, self._head_given)

    def read(self, held: bytearray) -> bool:
        """Take a part of the body off the input and give it; tell whether there was one.

        Raises:
            Refusal: the body is malformed or above a limit.
        """
        body, delegate = self._body, self._delegate
        if body is None:
            return False
        data = body.take(held)
        if delegate is None:  # See `skip_body`.
            if body.is_complete:
                self._connection.exchange_finished()
            return bool(data)
        if data:
            self._give(lambda: delegate.data_received(data), self._data_given)
        elif body.is_complete:
            self._complete()
        else:
            return False
        return True

    def goes_on(self) -> bool:
        """Tell whether the next request will be found behind this one, whoever reads its body."""
        head, body = self.head, self._body
        if self.has_all:
            return True
        if body is not None:
            left = body.left
        elif head.is_chunked or (head.expects_continue and not self._connection.has_input):
            # A client that is answered while it waits may send its body or leave it out (RFC 9110,
            # section 10.1.1), and what comes next could be either.
            return False
        else:
            left = head.content_length
        return left <= self._connection.server.options.max_unread_bytes

    def skip_body(self) -> None:
        """Read and drop what is left of the body: it was answered without."""
        self.abandon()
        if self._body is None:
            self._body = self._read_body(self._connection.server.options.max_unread_bytes)
        self.watch()

    def is_late(self, now: float) -> bool:
        """Tell whether the body comes too slowly; if not, have this asked again."""
        if self._body is None:
            return False
        if self._waiting is None and self._body.is_late(now):
            return True
        self.watch()
        return False

    def watch(self) -> None:
        """Set the connection's deadline: the application may take its time, a body may not."""
        seconds = inf
        if self._body is not None:
            now = self._connection.server.clock.now
            seconds = max(1.0, self._body.next_check(now) - now)
        self._connection.watch(seconds)

    def tell_closed(self) -> None:
        """Tell the handler, once, that the client has closed its side."""
        callback, self.close_callback = self.close_callback, None
        if callback is not None:
            self._connection.server.call(callback)

    def abandon(self) -> None:
        """End an exchange, and tell the application if it still waits for a part of it.

        Before the whole request was read that is the delegate's to know, afterwards the handler's
        (`tornado.httputil.HTTPMessageDelegate.on_connection_close`).
        """
        callback, self.close_callback = self.close_callback, None
        if not self.is_read:
            callback = None if self._delegate is None else self._delegate.on_connection_close
        self.end()
        if callback is not None:
            self._connection.server.call(callback)

    def end(self) -> None:
        """Let go of the application: it refers back, and a cycle would wait to be collected."""
        self.is_finished = True
        self._delegate = None
        self._waiting = None

    def _give(
        self, give: Callable[[], Awaitable[None] | None], then: Callable[[], None] | None
    ) -> None:
        try:
            awaitable = give()
            future = None if awaitable is None else asyncio.ensure_future(awaitable)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the application's.
            self._fail(error)
            return
        if future is not None and not self.is_finished:
            self._wait(future, then)
        elif then is not None and not self.is_finished:
            then()

    def _wait(self, future: "Future[None]", then: Callable[[], None] | None) -> None:
        since = self._connection.server.clock.now

        def given(future: "Future[None]") -> None:
            if self._waiting is not future:
                retrieve(future)
                return
            self._waiting = None
            if self._body is not None:
                self._body.excuse(self._connection.server.clock.now - since)
            try:
                future.result()
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - see `_give`.
                self._fail(error)
                return
            if then is not None:
                then()
            self._connection.advance()

        self._waiting = future
        future.add_done_callback(given)

    def _fail(self, error: BaseException) -> None:
        if self.is_finished:  # It has been answered already.
            self._connection.server.log_fault(error)
            self._connection.abort()
        else:
            self._connection.fail(error)

    def _give_head(self) -> Awaitable[None] | None:
        application = self._connection.server.application
        self._delegate = application.start_request(self._connection, self)
        return self._delegate.headers_received(self.head.start_line, request_headers(self.head))

    def _head_given(self) -> None:
        if not self.head.has_body:
            self._complete()
            return
        try:
            self._body = self._read_body(self.max_body_bytes)
        except Refusal as refusal:
            self._connection.refuse(refusal)
            return
        self.watch()
        if self.head.expects_continue and not self.has_head and not self._connection.has_input:
            self._connection.send(encoding.CONTINUE)

    def _read_body(self, max_bytes: int) -> BodyReader:
        return BodyReader(
            self.head,
            self._connection.server.options,
            max_bytes=max_bytes,
            seconds=self.body_seconds,
            now=self._connection.server.clock.refresh(),
        )

    def _data_given(self) -> None:
        if self._body is not None and self._body.is_complete:
            self._complete()

    def _complete(self) -> None:
        self.is_read = True
        if self._body is not None:
            self._body = None
            self.watch()
        if self._delegate is not None:
            self._give(self._delegate.finish, None)
        if self._connection.at_eof:  # Nobody will tell it later.
            self._connection.server.loop.call_soon(self.tell_closed)
