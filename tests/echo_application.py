"""A Tornado application that echoes, and remembers which of its handlers ran and for whom."""

from collections import defaultdict
from contextlib import suppress

from tornado.iostream import StreamClosedError
from tornado.web import Application, RequestHandler, stream_request_body

Ran = defaultdict[str, list[str]]
"""What ran, by the address of the client: method, path and body of each request, in order."""

LARGE_BYTES = 262_144


class _Recorded(RequestHandler):
    def initialize(self, ran: Ran) -> None:
        self._ran = ran[str(self.request.remote_ip)]

    def record(self, *words: str) -> None:
        self._ran.append(" ".join((str(self.request.method), self.request.path, *words)))


class _Hello(_Recorded):
    def get(self) -> None:
        self.record()
        self.write("hello")


class _Echo(_Recorded):
    def post(self) -> None:
        self.record(self.request.body.decode("latin-1"))
        self.write(self.request.body)


class _Admin(_Recorded):
    def get(self) -> None:
        self.record()

    post = get


class _Peer(_Recorded):
    def get(self) -> None:
        self.record(self.request.protocol)


class _Asterisk(_Recorded):
    def options(self) -> None:
        self.record()
        self.set_status(204)


class _Large(_Recorded):
    def get(self) -> None:
        self.record()
        self.write(b"a" * LARGE_BYTES)


class _Reply(_Recorded):
    def get(self) -> None:
        self.set_header("X-Reply", "a\r\nX-Smuggled: yes")


@stream_request_body
class _Stream(_Recorded):
    def prepare(self) -> None:
        self.record("prepared")
        self._received = b""

    def data_received(self, chunk: bytes) -> None:
        self._received += chunk

    def post(self) -> None:
        self.record(self._received.decode("latin-1"))
        self.write(self._received)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self.record("closed")


@stream_request_body
class _Early(_Recorded):
    def prepare(self) -> None:
        self.record()
        self.finish("early")


@stream_request_body
class _Mirror(_Recorded):
    def data_received(self, chunk: bytes) -> None:
        self.write(chunk)
        self.flush()

    async def post(self) -> None:
        with suppress(StreamClosedError):  # Tornado would log it as the handler's fault.
            await self.flush()
            self.record()


def make_echo_application(ran: Ran) -> Application:
    """Return an application that writes into ``ran``.

    ``GET /`` says hello, ``POST /echo`` and, streaming, ``POST /stream`` answer with the body,
    ``/admin`` is what nobody may reach by smuggling, ``GET /peer`` records the scheme,
    ``GET /large`` answers with `LARGE_BYTES`, ``GET /reply`` sets a header field that holds CRLF.
    ``POST /mirror`` answers while its body comes in, and is done when the client has read it;
    ``POST /early`` answers before its body comes in.
    """
    routes = (
        *(("/", _Hello), ("/echo", _Echo), ("/admin", _Admin), ("/peer", _Peer)),
        *((r"\*", _Asterisk), ("/large", _Large), ("/reply", _Reply), ("/stream", _Stream)),
        *(("/mirror", _Mirror), ("/early", _Early)),
    )
    return Application(
        [(path, handler, {"ran": ran}) for path, handler in routes],
        # The lines of the access log are the application's.
        log_function=lambda handler: None,
    )
