"""How responses end, and what a handler may not send."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from http_client import Client, request
from http_serving import Hello, on_both_loops, serving, until
from tornado.httputil import HTTPHeaders, HTTPOutputError, ResponseStartLine
from tornado.iostream import StreamClosedError
from tornado.web import Application, RequestHandler

END = b"\r\n\r\n"


class Status(RequestHandler):
    """Answers with a status and no body."""

    def get(self, status: str) -> None:
        self.set_status(int(status))

    post = get


class Streamed(RequestHandler):
    """Sends a body of a length that it does not say."""

    async def get(self) -> None:
        for part in ("one", "two"):
            self.write(part)
            await self.flush()

    head = get


class Tried(RequestHandler):
    """Does what the test wants and keeps what came of it."""

    async def get(self) -> None:
        try:
            await self.settings["attempt"](self)
        except Exception as error:
            self.settings["errors"].append(error)
            raise


def _application() -> Application:
    return Application([("/", Hello), (r"/status/(\d+)", Status), ("/streamed", Streamed)])


@on_both_loops
async def test_head_gets_the_length_and_no_body() -> None:
    class HeadToo(Hello):
        head = Hello.get

    application = Application([("/", HeadToo)])
    async with serving(application) as (_, port), await Client.connect(port) as client:
        client.send(request("/", method="HEAD") + request("/"))
        first = await client.receive(method="HEAD")
        second = await client.receive()
    assert first.all("content-length") == ["5"]
    assert second.body == b"hello"


@on_both_loops
async def test_a_streamed_answer_to_head_has_no_body() -> None:
    async with serving(_application()) as (_, port), await Client.connect(port) as client:
        client.send(request("/streamed", method="HEAD") + request("/"))
        assert (await client.receive(method="HEAD")).status == 200
        assert (await client.receive()).body == b"hello"


@pytest.mark.parametrize("status", [204, 304])
@on_both_loops
async def test_a_status_without_a_body_is_followed_by_the_next_answer(status: int) -> None:
    async with serving(_application()) as (_, port), await Client.connect(port) as client:
        client.send(request(f"/status/{status}") + request("/"))
        answer = await client.receive()
        assert answer.status == status
        assert not answer.all("transfer-encoding")
        assert (await client.receive()).body == b"hello"


@on_both_loops
async def test_a_body_of_unknown_length_is_chunked_in_http_1_1() -> None:
    async with serving(_application()) as (_, port), await Client.connect(port) as client:
        client.send(request("/streamed") + request("/"))
        answer = await client.receive()
        assert answer.all("transfer-encoding") == ["chunked"]
        assert answer.body == b"onetwo"
        assert (await client.receive()).body == b"hello"


@on_both_loops
async def test_a_body_of_unknown_length_ends_with_the_connection_in_http_1_0() -> None:
    async with serving(_application()) as (_, port), await Client.connect(port) as client:
        answer = await client.call(request("/streamed", "Connection: keep-alive", version="1.0"))
        assert not answer.all("transfer-encoding")
        assert "Keep-Alive" not in answer.all("connection")
        assert answer.body == b"onetwo"  # Read to the end of the connection.


@on_both_loops
async def test_http_1_0_is_closed_after_one_answer() -> None:
    async with serving(_application()) as (_, port), await Client.connect(port) as client:
        assert (await client.call(request("/", version="1.0"))).body == b"hello"
        assert await client.rest() == b""


@on_both_loops
async def test_http_1_0_with_keep_alive_goes_on() -> None:
    async with serving(_application()) as (_, port), await Client.connect(port) as client:
        for _ in range(2):
            answer = await client.call(request("/", "Connection: keep-alive", version="1.0"))
            assert answer.all("connection") == ["Keep-Alive"]


@on_both_loops
async def test_a_connection_that_the_client_closes_is_closed_after_its_answer() -> None:
    async with serving(_application()) as (_, port), await Client.connect(port) as client:
        answer = await client.call(request("/", "Connection: close"))
        assert answer.closes
        assert await client.rest() == b""


@on_both_loops
async def test_a_handler_may_close_the_connection() -> None:
    class Closing(Hello):
        def prepare(self) -> None:
            self.set_header("Connection", "close")

    application = Application([("/", Closing)])
    async with serving(application) as (_, port), await Client.connect(port) as client:
        assert (await client.call(request("/"))).closes
        assert await client.rest() == b""


async def _attempt(attempt: Callable[[Any], Any]) -> tuple[list[Exception], bytes]:
    """Run an attempt in a handler; return its errors and everything the client received."""
    errors: list[Exception] = []

    async def run(handler: Any) -> None:
        outcome = attempt(handler)
        if asyncio.iscoroutine(outcome):
            await outcome

    application = Application([("/", Tried)], attempt=run, errors=errors)
    async with serving(application) as (_, port), await Client.connect(port) as client:
        client.send(request("/", "Connection: close"))
        try:
            received = await client.rest()
        except ConnectionResetError:
            received = b""
        await until(lambda: bool(errors))
    return errors, received


def _start(handler: Any, fields: dict[str, str], chunk: bytes) -> None:
    line = ResponseStartLine("HTTP/1.1", 200, "OK")
    handler.request.connection.write_headers(line, HTTPHeaders(fields), chunk)


@on_both_loops
async def test_more_body_than_the_length_is_an_error_and_is_not_sent(
    expect_log: Callable[[str], None],
) -> None:
    expect_log("HTTPOutputError")
    expect_log("500 GET")
    errors, received = await _attempt(
        lambda handler: _start(handler, {"Content-Length": "3"}, b"four")
    )
    assert isinstance(errors[0], HTTPOutputError)
    assert b"four" not in received
    assert b"HTTP/1.1 500 " not in received


@on_both_loops
async def test_more_body_in_a_later_write_is_an_error(expect_log: Callable[[str], None]) -> None:
    def attempt(handler: Any) -> None:
        _start(handler, {"Content-Length": "3"}, b"one")
        handler.request.connection.write(b"more")

    expect_log("HTTPOutputError")
    expect_log("500 GET")
    errors, received = await _attempt(attempt)
    assert isinstance(errors[0], HTTPOutputError)
    assert b"more" not in received


@on_both_loops
async def test_less_body_than_the_length_is_an_error_and_cuts_the_connection(
    expect_log: Callable[[str], None],
) -> None:
    def attempt(handler: Any) -> None:
        _start(handler, {"Content-Length": "9"}, b"short")
        handler.request.connection.finish()

    expect_log("HTTPOutputError")
    expect_log("500 GET")
    errors, received = await _attempt(attempt)
    assert isinstance(errors[0], HTTPOutputError)
    assert b"HTTP/1.1 500 " not in received  # It would be taken for the rest of the body.


@pytest.mark.parametrize("value", ["a\r\nInjected: yes", "a\nInjected: yes", "a\rInjected: yes"])
@on_both_loops
async def test_a_field_with_a_line_end_is_not_sent(
    value: str, expect_log: Callable[[str], None]
) -> None:
    expect_log("ValueError")
    expect_log("500 GET")
    errors, received = await _attempt(lambda handler: _start(handler, {"X": value}, b""))
    assert isinstance(errors[0], ValueError)
    assert b"Injected" not in received.partition(END)[0]
    assert received.startswith(b"HTTP/1.1 500 ")


@pytest.mark.parametrize("reason", ["OK\r\nInjected: yes", "OK\nInjected: yes"])
@on_both_loops
async def test_a_reason_with_a_line_end_is_not_sent(
    reason: str, expect_log: Callable[[str], None]
) -> None:
    def attempt(handler: Any) -> None:
        line = ResponseStartLine("HTTP/1.1", 200, reason)
        handler.request.connection.write_headers(line, HTTPHeaders(), b"")

    expect_log("ValueError")
    expect_log("500 GET")
    errors, received = await _attempt(attempt)
    assert isinstance(errors[0], ValueError)
    assert b"Injected" not in received.partition(END)[0]


@on_both_loops
async def test_a_write_to_a_client_that_is_gone_raises() -> None:
    began, gone = asyncio.Event(), asyncio.Event()
    errors: list[Exception] = []

    class Late(RequestHandler):
        async def get(self) -> None:
            began.set()
            await gone.wait()
            try:
                self.write("late")
                await self.flush()
            except StreamClosedError as error:
                errors.append(error)

    async with serving(Application([("/", Late)])) as (server, port):
        async with await Client.connect(port) as client:
            client.send(request("/"))
            await began.wait()
            client.reset()
        await until(lambda: not server.statistics.connections)
        gone.set()
        await until(lambda: bool(errors))
