"""Rows 57, 63, 76, 78, 79 and 81 of the table: pipelines, resets, and answers made of user data."""

import asyncio
import socket
import struct
from collections.abc import Callable
from http import HTTPStatus

import pytest
from bad_input_rows import GOOD, GOOD_RAN, post
from echo_application import Ran
from raw_http import read_answers, send
from visit import Run

from app.httpserver import Answer, ReadyRequest, Server

_PIPELINED = 20_000
_BY_THE_APPLICATION = 100
_RESETS = 200
_LAST = GOOD[:-2] + b"Connection: close\r\n\r\n"


def _reset(client: socket.socket) -> None:
    """Close a socket by RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


async def _until_all_are_closed(server: Server) -> None:
    async with asyncio.timeout(120.0):
        await server._all_closed.wait()


def test_twenty_thousand_pipelined_requests_are_answered_in_order(
    run: Run, port: int, server: Server
):
    def answer(request: ReadyRequest) -> Answer | None:
        number = int(request.target[1:] or 0)
        if number % _BY_THE_APPLICATION == 0:
            return None
        return Answer.build(HTTPStatus.OK, (), str(number).encode())

    server.ready = answer
    many = b"".join(
        b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(1, _PIPELINED)
    )
    answers = read_answers(run(send(port, many + _LAST)))
    assert [answer.body if answer.status == 200 else b"" for answer in answers] == [
        *(
            b"%d" % number if number % _BY_THE_APPLICATION else b""
            for number in range(1, _PIPELINED)
        ),
        b"hello",
    ]


def test_continue_is_sent_once_before_a_body_that_waits_for_it(run: Run, port: int, ran: Ran):
    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(post("Expect: 100-continue", "Content-Length: 5", "Connection: close"))
        interim = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"hello")
        rest = await reader.read()
        writer.close()
        return interim + rest

    answers = read_answers(run(ask()))
    assert [answer.status for answer in answers] == [100, 200]
    assert ran["127.0.0.1"] == ["POST /echo hello"]


def test_a_header_field_made_of_user_data_splits_no_answer(
    run: Run, port: int, expect_log: Callable[[str], None]
):
    expect_log("Uncaught exception GET /reply")
    received = run(send(port, b"GET /reply HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
    (answer,) = read_answers(received)
    assert answer.status == 500
    assert answer.field("x-smuggled") is None


def test_a_client_that_resets_at_once_leaves_nothing(run: Run, port: int, server: Server):
    async def reset() -> None:
        for _ in range(_RESETS):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.transport.abort()
            _reset(socket.create_connection(("127.0.0.1", port)))
        assert read_answers(await send(port, _LAST))[0].status == 200
        await _until_all_are_closed(server)

    run(reset())
    assert server.statistics.in_flight == 0


@pytest.mark.parametrize("path", [b"/large", b"/"])
def test_a_client_that_resets_in_the_middle_of_an_answer_leaves_nothing(
    run: Run, port: int, server: Server, path: bytes
):
    async def reset() -> None:
        for _ in range(_RESETS):
            client = socket.create_connection(("127.0.0.1", port))
            client.sendall(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
            client.setblocking(False)
            await asyncio.get_running_loop().sock_recv(client, 1)
            _reset(client)
        await _until_all_are_closed(server)

    run(reset())
    assert server.statistics.in_flight == 0


def test_a_client_that_resets_in_the_middle_of_a_body_leaves_nothing(
    run: Run, port: int, server: Server, ran: Ran
):
    async def reset() -> None:
        for _ in range(_RESETS):
            client = socket.create_connection(("127.0.0.1", port))
            client.sendall(post("Content-Length: 10", body=b"hello"))
            _reset(client)
        assert read_answers(await send(port, _LAST))[0].status == 200
        await _until_all_are_closed(server)

    run(reset())
    assert ran["127.0.0.1"] == [GOOD_RAN]
    assert server.statistics.in_flight == 0


def test_a_client_that_closes_only_its_side_is_answered(run: Run, port: int):
    (answer,) = read_answers(run(send(port, GOOD, then_eof=True)))
    assert answer.body == b"hello"
