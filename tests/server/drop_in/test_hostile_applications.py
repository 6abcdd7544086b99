"""What an application, a ready function or a client at the wrong moment may do, and nobody pays."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from http_client import Client, request
from http_serving import Echo, Gate, Gated, Hello, on_both_loops, pass_time, serving, until
from tornado.web import Application, RequestHandler, stream_request_body
from tornado.websocket import WebSocketHandler

from app.httpserver import Answer, Server

CHUNKED = "Transfer-Encoding: chunked"


@stream_request_body
class LastWords(RequestHandler):
    """Answers when its client is gone: too late."""

    def data_received(self, chunk: bytes) -> None:
        pass

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self.finish("bye")


@on_both_loops
async def test_an_application_that_answers_when_it_is_told_of_the_end_gets_no_word_in() -> None:
    async with (
        serving(Application([("/", LastWords)])) as (_, port),
        await Client.connect(port) as client,
    ):
        client.send(request("/", CHUNKED, method="POST") + b"5\r\nhello\r\nZZ\r\n")
        assert (await client.receive()).status == 400
        assert await client.rest() == b""


@pytest.mark.parametrize("error", [ValueError("no"), asyncio.CancelledError()])
@on_both_loops
async def test_an_error_at_the_end_keeps_no_other_connection_alive(
    error: BaseException, expect_log: Callable[[str], None]
) -> None:
    class Failing(LastWords):
        def on_connection_close(self) -> None:
            RequestHandler.on_connection_close(self)
            raise error

    expect_log("Uncaught exception")
    async with serving(Application([("/", Failing)])) as (server, port):
        clients = [await Client.connect(port) for _ in range(5)]
        for client in clients:
            client.send(request("/", "Content-Length: 10", method="POST"))
        await until(lambda: server.statistics.in_flight == len(clients))
        pass_time(server, 31.0)
        pass_time(server, 2.0)
        for client in clients:
            assert (await client.receive()).status == 408
            async with client:
                pass
        await until(lambda: server.statistics.connections == 0)
        assert server.statistics.in_flight == 0


@on_both_loops
async def test_a_ready_function_that_returns_nonsense_is_passed_over(
    expect_log: Callable[[str], None],
) -> None:
    expect_log("the ready function returned 'hello'")
    nonsense: Any = lambda _: "hello"  # noqa: E731 - what a ready function may not return.
    async with serving(Application([("/", Hello)]), ready=nonsense) as (server, port):
        async with await Client.connect(port) as client:
            assert (await client.call(request("/"))).body == b"hello"
        assert server.statistics.in_flight == 0


@on_both_loops
async def test_what_an_awaited_data_received_returns_does_not_matter() -> None:
    @stream_request_body
    class Counting(RequestHandler):
        async def data_received(self, chunk: bytes) -> int:  # type: ignore[override]
            await asyncio.sleep(0)
            return len(chunk)

        def post(self) -> None:
            self.write("read")

    async with (
        serving(Application([("/", Counting)])) as (_, port),
        await Client.connect(port) as client,
    ):
        assert (await client.call(request("/", method="POST", body=b"hello"))).body == b"read"


@pytest.mark.parametrize("first", [b"", request("/")], ids=["alone", "behind another"])
@on_both_loops
async def test_a_client_that_left_before_its_request_was_begun_is_told_of(first: bytes) -> None:
    gate = Gate()
    routes = [("/", Hello), (r"/gated/(\w*)", Gated, {"gate": gate})]
    async with serving(Application(routes)) as (_, port):
        client = await Client.connect(port)
        client.send(first + request("/gated/a"))
        async with client:
            pass
        await until(lambda: gate.lost == ["a"])
        gate.open.set()


@on_both_loops
async def test_a_client_that_left_while_its_post_was_being_prepared_is_told_of() -> None:
    opened = asyncio.Event()
    lost = []

    class Preparing(RequestHandler):
        async def prepare(self) -> None:
            await opened.wait()

        async def post(self) -> None:
            await until(lambda: bool(lost))

        def on_connection_close(self) -> None:
            lost.append(self.request.path)

    async with serving(Application([("/", Preparing)])) as (server, port):
        client = await Client.connect(port)
        client.send(request("/", method="POST", body=b"hello"))
        await until(lambda: server.statistics.in_flight == 1)
        async with client:
            pass
        opened.set()
        await until(lambda: server.statistics.in_flight == 0)


@on_both_loops
async def test_no_request_is_begun_on_a_connection_that_the_application_has_closed() -> None:
    begun = []

    class Closing(RequestHandler):
        def get(self) -> None:
            begun.append(self.request.path)
            self.request.connection.stream.close()  # type: ignore[union-attr]

    async with (
        serving(Application([("/.*", Closing)])) as (server, port),
        await Client.connect(port) as client,
    ):
        client.send(request("/first") + request("/second"))
        await until(lambda: server.statistics.connections == 0)
    assert begun == ["/first"]


@on_both_loops
async def test_a_websocket_whose_client_is_gone_before_it_is_accepted_is_no_fault() -> None:
    opened = asyncio.Event()

    class Slow(WebSocketHandler):
        async def prepare(self) -> None:
            await opened.wait()

    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    async with serving(Application([("/", Slow)])) as (server, port):
        client = await Client.connect(port)
        client.send(request("/", *upgrade, key))
        await until(lambda: server.statistics.in_flight == 1)
        client.reset()
        await until(lambda: server.statistics.connections == 0)
        opened.set()


@on_both_loops
async def test_a_client_that_resets_among_ready_answers_leaves_no_line_in_the_log() -> None:
    answer = Answer.build(HTTPStatus.OK, [], b"a" * 1000)
    async with serving(Application([]), ready=lambda _: answer) as (server, port):
        for _ in range(5):
            client = await Client.connect(port)
            client.send(request("/") * 60)
            client.reset()
        await until(lambda: server.statistics.accepted == 5)
        await until(lambda: server.statistics.connections == 0)


@on_both_loops
async def test_what_came_while_the_loop_stood_still_is_not_late() -> None:
    async with (
        serving(Application([("/", Echo)])) as (server, port),
        await Client.connect(port) as client,
    ):
        client.send(request("/", "Content-Length: 10", method="POST"))
        await until(lambda: server.statistics.in_flight == 1)
        pass_time(server, 20.0)
        client.send(b"a" * 10)
        assert (await client.receive()).status == 200


@on_both_loops
async def test_a_plain_callable_is_refused_with_a_sentence() -> None:
    callable_: Any = print
    with pytest.raises(TypeError, match="HTTPServerConnectionDelegate"):
        Server(callable_)
