"""What an application may do after its answer, or too early for it, and nobody pays."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from http_client import Client, request
from http_serving import Hello, on_both_loops, serving, until
from tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    ResponseStartLine,
)
from tornado.web import Application, RequestHandler, stream_request_body
from tornado.websocket import WebSocketHandler

from app.httpserver import Answer


@stream_request_body
class Hasty(RequestHandler):
    """Answers at the first bytes of a body."""

    def data_received(self, chunk: bytes) -> None:
        self.set_status(403)
        self.finish("no")


@on_both_loops
async def test_a_handler_that_answers_before_the_end_of_a_body_leaves_no_task(
    expect_log: Callable[[str], None],
) -> None:
    expect_log("403 POST")
    async with serving(Application([("/", Hasty)])) as (_, port):
        async with await Client.connect(port) as client:
            client.send(request("/", "Content-Length: 100", method="POST") + b"hello")
            assert (await client.receive()).status == 403
        await until(lambda: len(asyncio.all_tasks()) == 1)


UPGRADE = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==")


@on_both_loops
async def test_a_websocket_that_is_accepted_during_a_drain_gets_its_101() -> None:
    opened = asyncio.Event()

    class Slow(WebSocketHandler):
        async def prepare(self) -> None:
            await opened.wait()

        def on_message(self, message: str | bytes) -> None:
            pass

    async with (
        serving(Application([("/", Slow)])) as (server, port),
        await Client.connect(port) as client,
    ):
        client.send(request("/", "Connection: Upgrade", *UPGRADE))
        await until(lambda: server.statistics.in_flight == 1)
        draining = asyncio.create_task(server.drain(5.0))
        await until(lambda: server.is_draining)
        opened.set()
        assert (await client.receive_exactly(12)) == b"HTTP/1.1 101"
        assert await draining


@on_both_loops
async def test_a_101_that_nobody_detaches_is_sent_and_ends_the_connection() -> None:
    class Switching(RequestHandler):
        def get(self) -> None:
            self.set_status(101)
            self.finish()

    async with (
        serving(Application([("/", Switching), ("/h", Hello)])) as (_, port),
        await Client.connect(port) as client,
    ):
        client.send(request("/") + request("/h"))
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 101")
        assert answer.count(b"HTTP/1.1") == 1


@on_both_loops
async def test_a_length_that_a_client_would_wait_for_is_not_sent(
    expect_log: Callable[[str], None],
) -> None:
    class Lying(RequestHandler):
        def get(self) -> None:
            line = ResponseStartLine("HTTP/1.1", 204, "No Content")
            headers = HTTPHeaders({"Content-Length": "5"})
            self.request.connection.write_headers(line, headers)  # type: ignore[union-attr]

    expect_log("has no Content-Length")
    expect_log("500 GET")
    async with (
        serving(Application([("/", Lying)])) as (_, port),
        await Client.connect(port) as client,
    ):
        assert (await client.call(request("/"))).status == 500


class Twice(HTTPServerConnectionDelegate, HTTPMessageDelegate):
    """Answers, and then finds that it cannot read the request."""

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        self._connection = request_conn
        return self

    def finish(self) -> None:
        headers = HTTPHeaders({"Content-Length": "2"})
        self._connection.write_headers(ResponseStartLine("", 200, "OK"), headers, b"ok")
        self._connection.finish()
        raise HTTPInputError("too late")


@on_both_loops
async def test_a_request_that_is_refused_after_its_answer_gets_no_second_one(
    expect_log: Callable[[str], None],
) -> None:
    expect_log("Uncaught exception")
    async with serving(Twice()) as (server, port), await Client.connect(port) as client:
        client.send(request("/"))
        with suppress(ConnectionResetError):
            assert b"400" not in await client.rest(why="the application fails")
        assert server.statistics.refused == {}


@on_both_loops
async def test_a_ready_function_that_is_cancelled_is_passed_over(
    expect_log: Callable[[str], None],
) -> None:
    def cancelled(*_: object) -> Answer:
        raise asyncio.CancelledError

    expect_log("Uncaught exception")
    async with (
        serving(Application([("/", Hello)]), ready=cancelled) as (_, port),
        await Client.connect(port) as client,
    ):
        assert (await client.call(request("/"))).body == b"hello"
