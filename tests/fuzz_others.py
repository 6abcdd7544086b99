"""How h11 and Tornado's own server read a stream of bytes."""

import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

import h11
from fuzz_readings import (
    ACCEPTED,
    REFUSED,
    WAITING,
    Application,
    Request,
    Step,
    accepted_steps,
    comparable,
    is_last,
    read_responses,
)
from tornado.http1connection import HTTP1Connection, HTTP1ServerConnection
from tornado.httputil import HTTPConnection
from tornado.iostream import IOStream


async def read_h11(stream: bytes) -> list[Step]:
    """Read with h11; each complete request is answered 404, which denies CONNECT and Upgrade.

    It refuses the empty line that RFC 9112, section 2.2 asks a server to ignore before a request;
    so one is taken away before each message.
    """
    steps: list[Step] = []
    start = 0
    while True:
        skipped = 2 if stream.startswith(b"\r\n", start) else 0
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        connection.receive_data(stream[start + skipped :])
        try:
            request = _next_of_h11(connection)
        except h11.RemoteProtocolError as error:
            return [*steps, Step(REFUSED, status=error.error_status_hint, start=start)]
        if request is None:
            return [*steps, Step(WAITING, start=start)]
        steps.append(Step(ACCEPTED, request, start=start))
        start = len(stream) - len(connection.trailing_data[0])
        if not request.keep_alive:
            return steps


def _next_of_h11(connection: h11.Connection) -> Request | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            break
        else:
            return None
    connection.send(h11.Response(status_code=404, headers=[("Content-Length", "0")]))
    connection.send(h11.EndOfMessage())
    fields = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
    return Request(
        method=head.method.decode(),
        target=head.target.decode(),
        version=f"HTTP/{head.http_version.decode()}",
        fields=comparable(fields),
        body=bytes(body),
        keep_alive=connection.our_state is h11.DONE,
    )


async def read_tornado(stream: bytes) -> list[Step]:
    """Read with Tornado's HTTP1ServerConnection over a pair of sockets.

    The stream, at most 64 KiB, is sent whole and ended before Tornado looks at it.
    """
    near, far = socket.socketpair()
    with far:
        far.setblocking(False)
        if far.send(stream) < len(stream):
            raise ValueError("the stream is too long for the socket")
        far.shutdown(socket.SHUT_WR)
        application = Application()
        HTTP1ServerConnection(IOStream(near)).start_serving(application)
        await application.is_closed.wait()
        near.close()
        output = _receive_all(far)
    # After a request that ends the connection it goes on with what it has read already, and calls
    # the application for requests that it cannot answer any more. They have no response.
    answered = zip(
        accepted_steps(application.complete, read_responses(output)),
        application.complete,
        strict=False,
    )
    steps = [_with_what_it_does(step, message.connection) for step, message in answered]
    if output.endswith(b"HTTP/1.1 400 Bad Request\r\n\r\n"):
        steps.append(Step(REFUSED, status=400))
    elif not steps or not is_last(steps[-1]):
        steps.append(Step(WAITING))
    return steps


def _with_what_it_does(step: Step, connection: HTTPConnection) -> Step:
    # It says keep-alive to every HTTP/1.0 client that asks, and closes all the same after a method
    # other than GET and HEAD without a body.
    assert isinstance(connection, HTTP1Connection)
    assert step.request is not None
    is_kept = not connection._disconnect_on_finish
    return step._replace(request=step.request._replace(keep_alive=is_kept), start=None)


def _receive_all(receiving: socket.socket) -> bytes:
    output = bytearray()
    with suppress(ConnectionResetError):
        while data := receiving.recv(65536):
            output += data
    return bytes(output)


Reader = Callable[[bytes], Awaitable[list[Step]]]
OTHERS: dict[str, Reader] = {"h11": read_h11, "tornado": read_tornado}
