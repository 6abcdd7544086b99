"""Stops that come twice, under load, or while MongoDB hangs."""

import http.client
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

from processes import named
from service import Service

Start = Callable[..., Service]

BODY = b'{"content": "counted"}'
POST = (
    b"POST /v1/todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY)
)
CONNECTIONS = 300
AT_ONCE_SECONDS = 40.0
"""Less than the operation would take by itself."""
"""More than the loop accepts at one turn."""


def test_a_second_sigterm_does_not_cut_off_what_the_first_lets_finish(
    start: Start, backend_flags: tuple[str, ...]
) -> None:
    service = start(*backend_flags)
    with service.connect() as connection:
        connection.sendall(POST + BODY[:5])
        service.call("GET", "/livez")  # So the head has been read.
        service.process.send_signal(signal.SIGTERM)
        service.wait_for_log("stopping")
        service.process.send_signal(signal.SIGTERM)
        connection.sendall(BODY[5:])
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert response.status == 201
    assert service.wait() == 0


def test_requests_on_connections_that_wait_to_be_accepted_are_answered(
    start: Start, backend_flags: tuple[str, ...]
) -> None:
    service = start(*backend_flags)
    with ExitStack() as stack:
        # Stopped, it accepts nothing: the kernel makes the connections and keeps the requests.
        service.process.send_signal(signal.SIGSTOP)
        connections = [stack.enter_context(service.connect()) for _ in range(CONNECTIONS)]
        for connection in connections:
            connection.sendall(POST + BODY)
        service.process.send_signal(signal.SIGTERM)
        service.process.send_signal(signal.SIGCONT)
        statuses = []
        for connection in connections:
            response = http.client.HTTPResponse(connection)
            response.begin()
            statuses.append(response.status)
    assert statuses == [201] * CONNECTIONS
    assert service.wait() == 0


def test_an_operation_that_mongodb_never_answers_does_not_hold_the_exit(
    start: Start, data_dir: Path
) -> None:
    service = start("--mongo-operation-seconds", "60", "--drain-seconds", "0.5")
    mongod = named("mongod", data_dir)
    mongod.suspend()
    try:
        with service.connect() as connection:
            connection.sendall(b"GET /v1/todos HTTP/1.1\r\nHost: localhost\r\n\r\n")
            service.call("GET", "/livez")
            started = monotonic()
            assert service.stop() == 0
            assert monotonic() - started < AT_ONCE_SECONDS
        # Cut off, and recorded as that: it was no fault of ours.
        (line,) = [line for line in service.log if '"/v1/todos"' in line]
        assert '"http.response.status_code":503' in line
    finally:
        mongod.resume()
