"""A stop loses no request that was begun, and nothing can hold it for longer than it may."""

import http.client
import json
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic

import psutil
import pytest
from processes import named, processes_in
from service import DEADLINE_SECONDS, Service

Start = Callable[..., Service]

BODY = json.dumps({"content": "finish what was begun"}).encode()
HALF = len(BODY) // 2
CONNECTIONS = 700
"""More than are accepted in the turns of the loop until the stop: 8 in each."""


@contextmanager
def half_sent_request(service: Service) -> Iterator[socket.socket]:
    """Send the head and half the body of a request, and return when the server has the head."""
    head = (
        "POST /v1/todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(BODY)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with service.connect() as connection:
        connection.sendall(head.encode())
        interim = b""
        while not interim.endswith(b"\r\n\r\n"):  # RFC 9110, section 10.1.1.
            interim += connection.recv(1)
        assert interim.startswith(b"HTTP/1.1 100 ")
        connection.sendall(BODY[:HALF])
        yield connection


def read_answer(connection: socket.socket) -> http.client.HTTPResponse:
    """Return the answer, read to its end."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    response.read()
    return response


def begin_to_stop(service: Service, number: signal.Signals = signal.SIGTERM) -> None:
    """Send the signal and return when the service has begun to obey it."""
    service.process.send_signal(number)
    service.wait_for_log("stopping")


def test_a_request_that_was_begun_before_sigterm_is_answered_and_the_exit_code_is_0(
    start: Start, backend_flags: tuple[str, ...]
) -> None:
    service = start(*backend_flags)
    with half_sent_request(service) as connection:
        begin_to_stop(service)
        connection.sendall(BODY[HALF:])
        assert read_answer(connection).status == 201
        assert connection.recv(1) == b""
    assert service.wait() == 0
    assert start(*backend_flags).contents() == ["finish what was begun"]


def test_requests_that_came_just_before_the_signal_are_answered(
    start: Start, backend_flags: tuple[str, ...]
) -> None:
    service = start(*backend_flags)
    service.process.send_signal(signal.SIGSTOP)  # So that all of it waits for the service at once.
    with ExitStack() as opened:
        connections = [opened.enter_context(service.connect()) for _ in range(CONNECTIONS)]
        for connection in connections:
            connection.sendall(b"GET /v1/todos HTTP/1.1\r\nHost: localhost\r\n\r\n")
        service.process.send_signal(signal.SIGTERM)
        service.process.send_signal(signal.SIGCONT)
        assert {read_answer(connection).status for connection in connections} == {200}
    assert service.wait() == 0


def test_new_connections_are_refused_while_it_drains(
    start: Start, backend_flags: tuple[str, ...]
) -> None:
    service = start(*backend_flags)
    with half_sent_request(service):
        begin_to_stop(service)
        with pytest.raises(ConnectionRefusedError):
            service.connect().close()


def test_with_nothing_in_flight_even_no_time_to_drain_cuts_nobody_off(
    start: Start, backend_flags: tuple[str, ...]
) -> None:
    service = start(*backend_flags, "--drain-seconds", "0")
    assert service.call("GET", "/v1/todos").status == 200
    assert service.stop() == 0
    assert not any("cutting off" in line for line in service.log), service.log


def test_an_idle_connection_does_not_hold_the_exit(
    start: Start, backend_flags: tuple[str, ...]
) -> None:
    service = start(*backend_flags, "--drain-seconds", "60", "--idle-timeout-seconds", "60")
    with service.connect() as idle, service.connect() as unused:
        idle.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_answer(idle).status == 200
        assert service.stop() == 0
        assert idle.recv(1) == b""
        assert unused.recv(1) == b""


def test_a_request_that_never_completes_is_cut_off_at_the_deadline(
    start: Start, backend_flags: tuple[str, ...]
) -> None:
    service = start(*backend_flags, "--drain-seconds", "1")
    with half_sent_request(service) as connection:
        begin_to_stop(service)
        started = monotonic()
        assert service.wait() == 0
        assert 0.5 < monotonic() - started < DEADLINE_SECONDS
        assert connection.recv(1) == b""
    assert any("cutting off requests that take longer than 1 s" in line for line in service.log)


def test_a_second_signal_ends_it_at_once(start: Start, backend_flags: tuple[str, ...]) -> None:
    service = start(*backend_flags, "--drain-seconds", "60")
    with half_sent_request(service):
        begin_to_stop(service, signal.SIGINT)
        assert service.stop(signal.SIGINT) == 130


def test_a_mongod_that_hangs_does_not_hold_the_exit(start: Start, data_dir: Path) -> None:
    service = start("--mongo-operation-seconds", "1")
    mongod = named("mongod", data_dir)
    mongod.suspend()
    try:
        with service.connect() as connection:
            connection.sendall(b"GET /v1/todos HTTP/1.1\r\nHost: localhost\r\n\r\n")
            begin_to_stop(service)
            assert read_answer(connection).status == 503
        assert service.wait() == 0
    finally:
        mongod.resume()
    _, left = psutil.wait_procs(processes_in(data_dir), DEADLINE_SECONDS)
    assert not left
