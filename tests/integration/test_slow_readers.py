"""An answer is in flight until its last byte is sent: a stop waits for readers, not for ever."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from time import monotonic

import pytest
from bson import ObjectId
from repository_calls import NOW, OWNER, Repository
from tornado.httputil import HTTPHeaders

from app.domain.todo import MAX_CONTENT_CHARACTERS, TodoDraft, new_todo
from app.serving import serve
from app.settings import Settings

pytestmark = pytest.mark.gen_test

TODOS = 100
"""As many as a page may have."""
DRAFT = TodoDraft("买" * MAX_CONTENT_CHARACTERS)
PAGE_BYTES = TODOS * len(DRAFT.content.encode())
BUFFER_BYTES = 4096
"""Of either side: so little that most of the page waits in the service and not in the kernel."""
HELD_SECONDS = 0.3
DEADLINE_SECONDS = 120.0


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, drain_seconds=DEADLINE_SECONDS)


class Serving:
    """The service on a socket of little memory, stopped by the signal of a supervisor."""

    def __init__(self, settings: Settings, mongo_uri: str, caplog: pytest.LogCaptureFixture):
        caplog.set_level(logging.INFO)
        self._caplog = caplog
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setblocking(False)
        # Those that it accepts inherit it.
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        self._address = self._listening.getsockname()
        self._ready = asyncio.Event()
        self._serving = asyncio.create_task(
            serve(
                settings,
                lambda: [self._listening],
                mongo_uri=mongo_uri,
                redis_url=None,
                on_listening=lambda *_: self._ready.set(),
            )
        )

    @asynccontextmanager
    async def begun_answer(self) -> AsyncIterator[asyncio.StreamReader]:
        """Ask for the long page; when the first bytes of the answer are here, read no more."""
        await self._ready.wait()
        connection = socket.socket()
        connection.setblocking(False)
        # Before the connection is made: later it would be of no use (tcp(7)).
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        await asyncio.get_running_loop().sock_connect(connection, self._address)
        reader, writer = await asyncio.open_connection(sock=connection, limit=BUFFER_BYTES)
        try:
            writer.write(
                f"GET /v1/todos?limit={TODOS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            )
            assert await reader.readexactly(15) == b"HTTP/1.1 200 OK"
            yield reader
        finally:
            writer.transport.abort()

    async def begin_to_stop(self) -> None:
        """Send the signal and return when new connections are refused."""
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not self._is_stopping():  # noqa: ASYNC110 - a log line sets no event.
                await asyncio.sleep(0.01)

    def _is_stopping(self) -> bool:
        return any(message.startswith("stopping") for message in self._caplog.messages)

    async def end(self) -> None:
        """Wait until it has ended."""
        await self._serving


async def store_page(repository: Repository) -> None:
    await repository.add_many(
        [new_todo(DRAFT, todo_id=str(ObjectId()), owner=OWNER, now=NOW) for _ in range(TODOS)]
    )


async def test_a_reader_in_the_middle_of_a_long_answer_gets_all_of_it_though_it_stops(
    repository: Repository, settings: Settings, mongo_uri: str, caplog: pytest.LogCaptureFixture
):
    await store_page(repository)
    serving = Serving(settings, mongo_uri, caplog)
    async with serving.begun_answer() as reader:
        await serving.begin_to_stop()
        head = await reader.readuntil(b"\r\n\r\n")
        headers = HTTPHeaders.parse(head.decode().partition("\r\n")[2])
        body = await reader.read()
    assert len(body) == int(headers["Content-Length"]) > PAGE_BYTES
    await serving.end()


async def test_a_reader_who_stops_in_the_middle_is_cut_off_at_the_deadline(
    repository: Repository,
    settings: Settings,
    mongo_uri: str,
    caplog: pytest.LogCaptureFixture,
    expect_log: Callable[[str], None],
):
    expect_log(f"cutting off requests that take longer than {HELD_SECONDS} s")
    await store_page(repository)
    serving = Serving(replace(settings, drain_seconds=HELD_SECONDS), mongo_uri, caplog)
    async with serving.begun_answer() as reader:
        started = monotonic()
        await serving.begin_to_stop()
        await serving.end()
        assert monotonic() - started > HELD_SECONDS
        try:
            rest = await reader.read()
        except ConnectionError:
            return
        assert len(rest) < PAGE_BYTES


async def test_a_reader_who_leaves_in_the_middle_does_not_hold_the_stop(
    repository: Repository, settings: Settings, mongo_uri: str, caplog: pytest.LogCaptureFixture
):
    await store_page(repository)
    serving = Serving(settings, mongo_uri, caplog)
    async with serving.begun_answer():
        pass
    await serving.begin_to_stop()
    async with asyncio.timeout(DEADLINE_SECONDS / 2):
        await serving.end()
