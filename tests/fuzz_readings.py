"""How a server reads a stream of bytes, in a form that can be compared; and how ours does.

A reading is a list of steps, one per message: it was accepted, it was refused, or the rest of it is
waited for.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from memory_wire import Wire
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)

from app.httpserver import Options, Server

ACCEPTED = "accepted"
REFUSED = "refused"
WAITING = "waiting"

_RESPONSE = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
_LENGTH = re.compile(rb"(?im)^Content-Length: ([0-9]+)\r$")
_CLOSE = re.compile(rb"(?im)^Connection: close\r$")
_KEEP_ALIVE = re.compile(rb"(?im)^Connection: keep-alive\r$")


class Request(NamedTuple):
    """What an application is given, and whether the connection goes on after the answer."""

    method: str
    target: str
    version: str
    fields: tuple[tuple[str, str], ...]
    body: bytes
    keep_alive: bool


class Step(NamedTuple):
    """What became of one message."""

    kind: str
    request: Request | None = None
    status: int | None = None
    """Of the refusal, where the server sends one."""

    start: int | None = None
    """Where the message begins in the stream; not known of Tornado's."""


class Response(NamedTuple):
    """What the fuzzer looks at of a response."""

    status: int
    closes: bool
    keeps_alive: bool


class Fault(Exception):
    """Our server did what it must never do, whatever it is sent."""


class Application(HTTPServerConnectionDelegate):
    """Records what it is given, and answers each request with an empty 200 once it is complete."""

    def __init__(self, consumed: Callable[[], int] = lambda: 0) -> None:
        self.messages: list[Message] = []
        self.consumed = consumed
        self.is_closed = asyncio.Event()

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> "Message":
        return Message(self, request_conn)

    def on_close(self, server_conn: object) -> None:
        self.is_closed.set()

    @property
    def complete(self) -> list["Message"]:
        return [message for message in self.messages if message.is_complete]


class Message(HTTPMessageDelegate):
    """One request, and a check that its events come in the order Tornado promises."""

    def __init__(self, application: Application, connection: HTTPConnection) -> None:
        self._application = application
        self.connection = connection
        self._is_over = False
        self.head: tuple[str, str, str, tuple[tuple[str, str], ...]] | None = None
        self.body = b""
        self.is_complete = False
        self.end = 0

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        assert isinstance(start_line, RequestStartLine)
        self._check(is_right=self.head is None)
        self.head = (*start_line, comparable(headers.get_all()))
        self._application.messages.append(self)

    def data_received(self, chunk: bytes) -> None:
        self._check(is_right=self.head is not None and bool(chunk))
        self.body += chunk

    def finish(self) -> None:
        self._check(is_right=self.head is not None)
        self.is_complete = self._is_over = True
        self.end = self._application.consumed()
        head = ResponseStartLine("HTTP/1.1", 200, "OK")
        self.connection.write_headers(head, HTTPHeaders({"Content-Length": "0"}))
        self.connection.finish()

    def on_connection_close(self) -> None:
        self._check(is_right=True)
        self._is_over = True

    def _check(self, *, is_right: bool) -> None:
        if self._is_over or not is_right:
            raise Fault("the delegate's methods were called out of order")


def comparable(fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return header fields as they can be compared.

    Tornado keeps the order of equal names only, and h11 writes a transfer coding in lower case.
    """
    lower = ((name.lower(), value) for name, value in fields)
    named = ((key, value.lower() if key == "transfer-encoding" else value) for key, value in lower)
    return tuple(sorted(named, key=lambda field: field[0]))


def read_responses(output: bytes) -> list[Response]:
    """Take our, or Tornado's, output apart; interim responses are left out.

    Raises:
        Fault: it is no sequence of responses.
    """
    found = []
    place = 0
    while place < len(output):
        match = _RESPONSE.match(output, place)
        if match is None:
            raise Fault(f"the output is no sequence of responses: {output[place : place + 80]!r}")
        status, fields = int(match[1]), match[2]
        length = _LENGTH.search(fields)
        place = match.end() + (int(length[1]) if length else 0)
        if status >= 200:
            found.append(
                Response(status, bool(_CLOSE.search(fields)), bool(_KEEP_ALIVE.search(fields)))
            )
    return found


def accepted_steps(messages: list[Message], responses: list[Response]) -> list[Step]:
    """Return the steps of complete messages and the responses to them."""
    steps = []
    start = 0
    for message, response in zip(messages, responses, strict=False):
        assert message.head is not None
        is_kept = response.keeps_alive if message.head[2] == "HTTP/1.0" else not response.closes
        request = Request(*message.head, message.body, is_kept)
        steps.append(Step(ACCEPTED, request, start=start))
        start = message.end
    return steps


OPTIONS = Options(remembered_heads=64)
"""The defaults, but for fewer remembered heads, so that forgetting them is tried out too."""


class ErrorLog(logging.Handler):
    """Keeps what is logged as an error; a context."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def __enter__(self) -> None:
        self.lines.clear()
        logging.getLogger().addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)


class OurReader:
    """Reads with `app.httpserver`; what it remembers of heads stays from stream to stream."""

    def __init__(self) -> None:
        self._server = Server(Application(), options=OPTIONS)
        self._errors = ErrorLog()

    async def read(self, pieces: list[bytes]) -> list[Step]:
        """Send pieces to a new connection; return what became of them.

        Raises:
            Fault: the server broke a promise that does not depend on the input.
        """
        with self._errors:
            steps = await self._read(pieces)
        if self._errors.lines:
            raise Fault(f"an error was logged: {self._errors.lines.pop()}")
        return steps

    async def _read(self, pieces: list[bytes]) -> list[Step]:
        wire = Wire(self._server)
        application = Application(lambda: wire.consumed)
        self._server.application = application
        await wire.send(pieces)
        responses = read_responses(bytes(wire.transport.output))
        steps = accepted_steps(application.complete, responses)
        has_ended = wire.transport.has_ended
        start = application.complete[-1].end if steps else 0
        extra = len(responses) - len(steps)
        if extra == 1:
            steps.append(Step(REFUSED, status=responses[-1].status, start=start))
        elif not has_ended:
            steps.append(Step(WAITING, start=start))
        if extra not in (0, 1):
            raise Fault("a response is missing, or is one too many")
        last = steps[-1] if steps else None
        if has_ended != (last is not None and is_last(last)):
            raise Fault("the connection ends without a word, or goes on after one")
        await self._end(wire, application)
        return steps

    async def _end(self, wire: Wire, application: Application) -> None:
        seen = len(application.complete), len(wire.transport.output)
        await wire.end()
        if (len(application.complete), len(wire.transport.output)) != seen:
            raise Fault("the end of the input made a request complete")
        if not wire.transport.is_lost or self._server.statistics.connections:
            raise Fault("the connection stays open after the client has closed its side")
        if self._server.statistics.in_flight:
            raise Fault("a request is still counted after its connection is gone")


def is_last(step: Step) -> bool:
    """Tell whether the connection ends with this step."""
    return step.kind == REFUSED or (step.request is not None and not step.request.keep_alive)
