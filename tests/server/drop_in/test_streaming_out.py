"""Streaming responses: a slow reader makes the handler wait, and memory stays bounded."""

import asyncio
import ssl

import pytest
from http_client import Client, request
from http_serving import on_both_loops, only_connection, pass_time, serving, turn_loop, until
from tornado.iostream import StreamClosedError
from tornado.web import Application, RequestHandler

from app.httpserver import Options

PART = bytes(range(256)) * 256
PARTS = 128
"""8 MiB in parts of 64 KiB: more than any kernel's socket buffers on the loopback."""
WRITE_BUFFER_BYTES = 32768


class Progress:
    """How far a `Stream` has got."""

    def __init__(self) -> None:
        self.flushed = 0
        self.is_waiting = False
        self.errors: list[BaseException] = []


class Stream(RequestHandler):
    """Sends many parts, each when the one before it has been taken."""

    def initialize(self, progress: Progress) -> None:
        self._progress = progress

    async def get(self) -> None:
        try:
            for _ in range(PARTS):
                self.write(PART)
                flushed = self.flush()
                self._progress.is_waiting = not flushed.done()
                await flushed
                self._progress.is_waiting = False
                self._progress.flushed += 1
        except StreamClosedError as error:
            self._progress.errors.append(error)


class TwoParts(RequestHandler):
    """Flushes a part and then waits for another request before it sends the rest."""

    async def get(self) -> None:
        self.write("first")
        await self.flush()
        await self.settings["open"].wait()
        self.finish("second")


def _application(progress: Progress) -> Application:
    return Application([("/", Stream, {"progress": progress})])


@on_both_loops
async def test_a_slow_reader_makes_the_handler_wait() -> None:
    progress = Progress()
    options = Options(write_buffer_bytes=WRITE_BUFFER_BYTES)
    async with (
        serving(_application(progress), options=options) as (server, port),
        await Client.connect(port, receive_buffer_bytes=4096) as client,
    ):
        client.send(request("/"))
        await until(lambda: progress.is_waiting)
        await turn_loop()
        stopped_at = progress.flushed
        unsent = only_connection(server)._transport.get_write_buffer_size()
        await turn_loop()
        assert progress.flushed == stopped_at < PARTS
        # One part, in its frame of a few bytes, may be added to a buffer that is below its limit.
        assert unsent <= WRITE_BUFFER_BYTES + len(PART) + 1024


@on_both_loops
async def test_a_reader_that_goes_on_gets_everything_in_order() -> None:
    progress = Progress()
    options = Options(write_buffer_bytes=WRITE_BUFFER_BYTES)
    async with (
        serving(_application(progress), options=options) as (_, port),
        await Client.connect(port, receive_buffer_bytes=65536) as client,
    ):
        client.send(request("/"))
        await until(lambda: progress.is_waiting)
        answer = await client.receive()
    assert answer.body == PART * PARTS
    assert progress.flushed == PARTS


@on_both_loops
async def test_a_slow_reader_over_tls_makes_the_handler_wait(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    progress = Progress()
    options = Options(write_buffer_bytes=WRITE_BUFFER_BYTES)
    async with (
        serving(_application(progress), options=options, ssl_options=server_tls) as (_, port),
        await Client.connect(port, tls=client_tls, receive_buffer_bytes=4096) as client,
    ):
        client.send(request("/"))
        await until(lambda: progress.is_waiting)
        assert progress.flushed < PARTS
        assert len((await client.receive()).body) == len(PART) * PARTS


@on_both_loops
async def test_a_handler_that_waits_for_a_reader_who_leaves_is_told() -> None:
    progress = Progress()
    async with (
        serving(_application(progress)) as (_, port),
        await Client.connect(port, receive_buffer_bytes=4096) as client,
    ):
        client.send(request("/"))
        await until(lambda: progress.is_waiting)
        client.reset()
        await until(lambda: bool(progress.errors))
    (error,) = progress.errors
    assert isinstance(error, StreamClosedError)


@on_both_loops
async def test_a_reader_that_takes_nothing_is_cut_off_and_counted() -> None:
    progress = Progress()
    async with (
        serving(_application(progress)) as (server, port),
        await Client.connect(port, receive_buffer_bytes=4096) as client,
    ):
        client.send(request("/"))
        await until(lambda: progress.is_waiting)
        pass_time(server, server.options.write_seconds - 2.0)
        await turn_loop()
        assert not progress.errors
        # What the kernel took after the first look is counted as read.
        for _ in range(2):
            pass_time(server, server.options.write_seconds + 1.0)
        await until(lambda: bool(progress.errors))
        assert server.statistics.slow_readers == 1
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.receive()


@on_both_loops
async def test_the_next_request_is_not_begun_while_the_last_answer_is_unsent() -> None:
    progress = Progress()
    async with (
        serving(_application(progress)) as (server, port),
        await Client.connect(port, receive_buffer_bytes=4096) as client,
    ):
        client.send(request("/") * 2)
        await until(lambda: progress.is_waiting)
        await turn_loop()
        assert server.statistics.requests == 1
        for _ in range(2):
            assert len((await client.receive()).body) == len(PART) * PARTS


@on_both_loops
async def test_what_is_flushed_is_sent_before_the_answer_ends() -> None:
    opened = asyncio.Event()
    application = Application([("/", TwoParts)], open=opened)
    async with serving(application) as (_, port), await Client.connect(port) as client:
        client.send(request("/"))
        received = b""
        while not received.endswith(b"first\r\n"):
            received += await client.receive_exactly(1)
        opened.set()
        assert await client.receive_exactly(16) == b"6\r\nsecond\r\n0\r\n\r\n"
