"""The response side of an exchange: what Tornado knows as the connection of a request."""

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPOutputError,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream

from app.httpserver import encoding
from app.httpserver.context import Context
from app.httpserver.framing import RequestHead, list_members
from app.httpserver.peer import Peer

if TYPE_CHECKING:
    from asyncio import Future

    from app.httpserver.connection import Connection


class Response(HTTPConnection):
    """What the application answers a request with.

    Beside the documented methods of `tornado.httputil.HTTPConnection` it has what RequestHandler
    and WebSocketHandler call: ``context``, ``stream``, `set_close_callback`, `detach`,
    `set_max_body_size` and `set_body_timeout`.

    The futures of `write_headers` and `write` are done when the output is below the limit of what
    may be unsent; awaiting them is how a handler goes at its client's speed.
    """

    def __init__(self, connection: "Connection", head: RequestHead, context: Context) -> None:
        self._connection = connection
        self.head = head
        self.context = context
        self.close_callback: Callable[[], None] | None = None
        options = connection.server.options
        self.max_body_bytes = options.max_body_bytes
        self.body_seconds = options.body_seconds
        self.keep_alive = head.keep_alive
        self.has_head = False  # It has been sent.
        self.is_finished = False  # Nothing more may be sent.
        self._is_chunked = False
        self._switching = b""  # The head of a 101, which is sent when the connection is detached.
        self._left: int | None = None  # Bytes of the body to come; None where nobody has said.

    @property
    def stream(self) -> Peer:
        """The connection as `HTTPServerRequest.get_ssl_certificate` looks at it."""
        return Peer(self._connection)

    def goes_on(self) -> bool:
        """Tell whether the next request will be found behind this one."""
        raise NotImplementedError

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Call this when the client closes its side after the whole request has been read.

        It may have closed that side alone, so an answer is still sent if one is written.
        """
        self.close_callback = callback

    def set_max_body_size(self, max_body_size: int) -> None:
        """Set the limit of this request's body in bytes; to be called in ``prepare``."""
        self.max_body_bytes = max_body_size

    def set_body_timeout(self, timeout: float) -> None:
        """Set the seconds that this request's body may take; to be called in ``prepare``."""
        self.body_seconds = timeout

    def detach(self) -> IOStream:
        """Hand the connection over; a WebSocketHandler does this, see `detaching`.

        Returns:
            A stream with the client at the other end; a closed one if the client is gone, or if
            the connection has gone on to another request.
        """
        self.is_finished = True
        self.close_callback = None
        greeting, self._switching = self._switching, b""
        return self._connection.detach(self, greeting)

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> "Future[None]":
        """Send the head of the response, and a first part of its body.

        Raises:
            ValueError: a header field holds CR or LF, or says wrongly how long the body is.
            HTTPOutputError: there is more body than the Content-Length says.
        """
        if not isinstance(start_line, ResponseStartLine):
            raise TypeError("a server answers with a ResponseStartLine")
        head = encoding.encode_head(start_line.code, start_line.reason, headers.get_all())
        data = head + self._framing(start_line.code, headers)
        if start_line.code == HTTPStatus.SWITCHING_PROTOCOLS:
            # With the stream's first bytes: a transport with unsent output cannot be handed over.
            self._switching, self.has_head = data, True
            return self._connection.server.done
        if chunk:
            data += self._frame(chunk)
        self.has_head = True
        return self._send(data)

    def _framing(self, status: int, headers: HTTPHeaders) -> bytes:
        """Decide how the response ends; return the fields that say so, and the end of the head."""
        # PERF: get_list() asks a dictionary; get() and "in" cost an exception for a missing field.
        length, connection = headers.get_list("Content-Length"), headers.get_list("Connection")
        server = self._connection.server
        method, _, version = self.head.start_line
        fields = b"" if headers.get_list("Date") else server.clock.date
        if status == HTTPStatus.SWITCHING_PROTOCOLS:
            return fields + b"\r\n"
        if headers.get_list("Transfer-Encoding") or len(length) > 1:
            raise ValueError("a handler sets one Content-Length at most, and no Transfer-Encoding")
        body_bytes = _length(length[0]) if length else None
        if not encoding.allows_body(method, status):
            # RFC 9110, section 8.6: a client would wait for it.
            if length and (status < HTTPStatus.OK or status == HTTPStatus.NO_CONTENT):
                raise ValueError(f"a response with status {status} has no Content-Length")
            self._left = 0
        elif body_bytes is not None:
            self._left = body_bytes
        elif version == "HTTP/1.1":
            self._is_chunked = True
            fields += encoding.CHUNKED
        else:
            self.keep_alive = False  # The end of the connection is the end of the body.
        wants_close = bool(connection) and "close" in list_members(",".join(connection))
        self.keep_alive = (
            self.keep_alive and not wants_close and not server.is_draining and self.goes_on()
        )
        if not self.keep_alive:
            if not wants_close:
                fields += encoding.CONNECTION_CLOSE
        elif version == "HTTP/1.0" and not connection:
            fields += encoding.CONNECTION_KEEP_ALIVE
        return fields + b"\r\n"

    def write(self, chunk: bytes) -> "Future[None]":
        """Send a part of the body.

        Raises:
            HTTPOutputError: there is more of it than the Content-Length says.
        """
        self._require_head()
        return self._send(self._frame(chunk))

    def _require_head(self) -> None:
        if not self.has_head and not self.is_finished:
            # A RequestHandler whose head was not fit to be sent takes it for sent, and goes on.
            self._connection.abort()
            raise RuntimeError("write_headers comes first")

    def _send(self, data: bytes) -> "Future[None]":
        if self.is_finished:
            return self._connection.server.closed_future()
        return self._connection.send(data)

    def _frame(self, chunk: bytes) -> bytes:
        if self._left is not None:
            self._left -= len(chunk)
            if self._left < 0:
                # Whatever follows would be taken for the next response.
                self._connection.abort()
                raise HTTPOutputError("Tried to write more data than Content-Length")
        # An empty chunk is the end of the body.
        return encoding.encode_chunk(chunk) if self._is_chunked and chunk else chunk

    def finish(self) -> None:
        """End the response.

        Raises:
            HTTPOutputError: there is less body than the Content-Length says.
        """
        if self.is_finished:
            return
        self._require_head()
        if self._left:
            self._connection.abort()
            raise HTTPOutputError(f"Tried to write {self._left} bytes less than Content-Length")
        if self._is_chunked:
            self._connection.send(encoding.LAST_CHUNK)
        self.is_finished = True
        self.close_callback = None
        if self._switching:  # A WebSocketHandler detaches the connection now, after its answer.
            self._connection.server.loop.call_soon(self._stay)
        else:
            self._connection.exchange_finished()

    def _stay(self) -> None:
        """Send the head of a 101 whose connection nobody has detached; nothing can follow it."""
        if self._switching:
            self._connection.send(self._switching)
            self.keep_alive = False
            self._connection.exchange_finished()


def _length(value: str) -> int:
    # int() alone would take "+5" and "5_0", which a client reads differently.
    if not (value.isascii() and value.isdigit()):
        raise ValueError(f"not a Content-Length: {value!r}")
    return int(value)
