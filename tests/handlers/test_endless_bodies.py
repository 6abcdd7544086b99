"""A client that sends on after it was told 413: one answer, a closed connection, no noise."""

import asyncio

import pytest
from api import Api
from contract import check_answer
from tornado.httputil import HTTPHeaders

from app.settings import Settings

pytestmark = pytest.mark.gen_test

TIMES_THE_LIMIT = 20
LIMIT_BYTES = Settings().max_body_bytes
CHUNK_BYTES = 4096
CHUNKS_IN_LIMIT = LIMIT_BYTES // CHUNK_BYTES
HEAD = b"POST /v1/todos HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def chunk(length: int) -> bytes:
    return b"%x\r\n%b\r\n" % (length, b" " * length)


CHUNK = chunk(CHUNK_BYTES)


async def send_on_and_on(port: int, pieces: list[bytes]) -> bytes:
    """Send the pieces of a body until the server closes; return all that it said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = bytearray()

    async def read() -> None:
        while chunk := await reader.read(65536):
            received.extend(chunk)

    async def write() -> None:
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    try:
        # A server that closes with bytes of ours unread resets the connection.
        outcomes = await asyncio.gather(read(), write(), return_exceptions=True)
    finally:
        writer.transport.abort()
    for outcome in outcomes:
        assert outcome is None or isinstance(outcome, ConnectionError)
    return bytes(received)


def check_only_answer(received: bytes) -> None:
    """Fail unless there is one answer, 413, with nothing behind it."""
    head, _, body = received.partition(b"\r\n\r\n")
    start_line, _, fields = head.decode("latin-1").partition("\r\n")
    headers = HTTPHeaders.parse(fields)
    assert start_line.startswith("HTTP/1.1 413 ")
    assert headers["Connection"] == "close"
    assert len(body) == int(headers["Content-Length"])
    check_answer("POST", "/v1/todos", 413, headers, body)


BODIES = {
    "in small chunks": [CHUNK] * (TIMES_THE_LIMIT * CHUNKS_IN_LIMIT),
    "in one piece of many chunks": [CHUNK * (TIMES_THE_LIMIT * CHUNKS_IN_LIMIT)],
    "in one chunk": [chunk(TIMES_THE_LIMIT * LIMIT_BYTES)],
    "with an end": [CHUNK * (TIMES_THE_LIMIT * CHUNKS_IN_LIMIT), b"0\r\n\r\n"],
}


@pytest.mark.parametrize("pieces", BODIES.values(), ids=BODIES)
async def test_a_body_that_goes_on_far_beyond_the_limit_gets_one_413_and_a_closed_connection(
    api: Api, pieces: list[bytes]
):
    check_only_answer(await send_on_and_on(api.port, pieces))
    assert (await api.call("GET", "/v1/todos")).json()["items"] == []


BODIES_FOR_NOBODY = {
    "declared above the limit": b"Content-Length: %d\r\n\r\n" % (TIMES_THE_LIMIT * LIMIT_BYTES),
    "that turns out above the limit": b"Transfer-Encoding: chunked\r\n\r\n"
    + chunk(TIMES_THE_LIMIT * LIMIT_BYTES),
}


@pytest.mark.parametrize("rest", BODIES_FOR_NOBODY.values(), ids=BODIES_FOR_NOBODY)
async def test_a_body_above_the_limit_where_nothing_is_gets_404(api: Api, rest: bytes):
    answer = await api.send(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\n" + rest)
    assert answer.status == 404
