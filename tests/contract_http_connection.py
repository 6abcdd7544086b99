"""What Tornado promises an application about the calls it gets; held against any server.

`tornado.httputil.HTTPMessageDelegate` says in which order its methods are called. A test module
subclasses `HttpConnectionContract` and says which server is meant.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from http_client import Client, request
from http_serving import on_both_loops, turn_loop, until
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import StreamClosedError

LARGE = b"".join(b"%07d\n" % number for number in range(40_000))
"""320 kB: several calls of ``data_received``."""


class Recorder(HTTPServerConnectionDelegate):
    """Records every call, of all exchanges in one list; answers when it is told to.

    Attributes:
        calls: pairs of an exchange's number and a method's name.
        open_head: awaited in ``headers_received``, if it is there.
        open_data: awaited in ``data_received``, if it is there.
        answers_at_once: answer in ``finish``.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[int, str]] = []
        self.exchanges: list[RecordedExchange] = []
        self.open_head: asyncio.Event | None = None
        self.open_data: asyncio.Event | None = None
        self.answers_at_once = True
        self.closed_connections = 0

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        self.exchanges.append(RecordedExchange(self, len(self.exchanges), request_conn))
        return self.exchanges[-1]

    def on_close(self, server_conn: object) -> None:
        self.closed_connections += 1

    def names(self, number: int = 0) -> list[str]:
        """Return what was called for an exchange, repeated ``data_received`` once."""
        names: list[str] = []
        for exchange, name in self.calls:
            if exchange == number and not (name == "data_received" and names[-1:] == [name]):
                names.append(name)
        return names


class RecordedExchange(HTTPMessageDelegate):
    """One request and its answer."""

    def __init__(self, recorder: Recorder, number: int, connection: Any) -> None:
        self._recorder = recorder
        self._number = number
        self.connection = connection
        self.start_line: Any = None
        self.fields: HTTPHeaders | None = None
        self.body = b""

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._record("headers_received")
        self.start_line, self.fields = start_line, headers
        return self._wait(self._recorder.open_head)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._record("data_received")
        self.body += chunk
        return self._wait(self._recorder.open_data)

    def finish(self) -> None:
        self._record("finish")
        if self._recorder.answers_at_once:
            self.answer()

    def on_connection_close(self) -> None:
        self._record("on_connection_close")

    def answer(self) -> None:
        """Send the number of the exchange."""
        body = b"%d" % self._number
        fields = HTTPHeaders({"Content-Length": str(len(body))})
        self.connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), fields, body)
        self.connection.finish()

    def _record(self, name: str) -> None:
        self._recorder.calls.append((self._number, name))

    @staticmethod
    def _wait(event: asyncio.Event | None) -> Awaitable[None] | None:
        async def wait(given: asyncio.Event) -> None:
            await given.wait()

        return None if event is None else wait(event)


class HttpConnectionContract:
    """The promises."""

    def serving(self, recorder: Recorder) -> AbstractAsyncContextManager[int]:
        """Serve with a recorder as the application; give the port."""
        raise NotImplementedError

    @on_both_loops
    async def test_a_request_without_a_body_is_a_head_and_an_end(self) -> None:
        recorder = Recorder()
        async with self.serving(recorder) as port, await Client.connect(port) as client:
            await client.call(request("/path?query", "X-Field: value"))
        assert recorder.names() == ["headers_received", "finish"]
        exchange = recorder.exchanges[0]
        assert exchange.start_line == ("GET", "/path?query", "HTTP/1.1")
        assert exchange.fields is not None
        assert exchange.fields["x-field"] == "value"

    @on_both_loops
    async def test_repeated_fields_are_all_given(self) -> None:
        recorder = Recorder()
        async with self.serving(recorder) as port, await Client.connect(port) as client:
            await client.call(request("/", "X-Field: one", "x-field: two"))
        fields = recorder.exchanges[0].fields
        assert fields is not None
        assert fields.get_list("X-Field") == ["one", "two"]

    @on_both_loops
    async def test_a_body_is_given_whole_between_head_and_end(self) -> None:
        recorder = Recorder()
        async with self.serving(recorder) as port, await Client.connect(port) as client:
            await client.call(request("/", method="POST", body=LARGE))
        assert recorder.names() == ["headers_received", "data_received", "finish"]
        assert recorder.exchanges[0].body == LARGE

    @on_both_loops
    async def test_a_chunked_body_is_given_without_its_frame(self) -> None:
        recorder = Recorder()
        head = request("/", "Transfer-Encoding: chunked", method="POST")
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(LARGE), LARGE)
        async with self.serving(recorder) as port, await Client.connect(port) as client:
            await client.call(head + chunks)
        assert recorder.names() == ["headers_received", "data_received", "finish"]
        assert recorder.exchanges[0].body == LARGE

    @on_both_loops
    async def test_no_body_is_given_while_the_head_is_being_taken(self) -> None:
        recorder = Recorder()
        recorder.open_head = asyncio.Event()
        async with self.serving(recorder) as port, await Client.connect(port) as client:
            client.send(request("/", method="POST", body=LARGE))
            await until(lambda: bool(recorder.calls))
            await turn_loop()
            assert recorder.names() == ["headers_received"]
            recorder.open_head.set()
            await client.receive()
        assert recorder.exchanges[0].body == LARGE

    @on_both_loops
    async def test_no_end_is_told_while_the_head_is_being_taken(self) -> None:
        recorder = Recorder()
        recorder.open_head = asyncio.Event()
        async with self.serving(recorder) as port, await Client.connect(port) as client:
            client.send(request("/"))
            await until(lambda: bool(recorder.calls))
            await turn_loop()
            assert recorder.names() == ["headers_received"]
            recorder.open_head.set()
            await client.receive()
        assert recorder.names() == ["headers_received", "finish"]

    @on_both_loops
    async def test_no_more_is_given_while_a_part_is_being_taken(self) -> None:
        recorder = Recorder()
        recorder.open_data = asyncio.Event()
        async with self.serving(recorder) as port, await Client.connect(port) as client:
            client.send(request("/", method="POST", body=LARGE))
            await until(lambda: bool(recorder.exchanges and recorder.exchanges[0].body))
            await turn_loop()
            assert recorder.calls == [(0, "headers_received"), (0, "data_received")]
            recorder.open_data.set()
            await client.receive()
        assert recorder.exchanges[0].body == LARGE

    @on_both_loops
    async def test_no_end_is_told_while_the_last_part_is_being_taken(self) -> None:
        recorder = Recorder()
        recorder.open_data = asyncio.Event()
        async with self.serving(recorder) as port, await Client.connect(port) as client:
            client.send(request("/", method="POST", body=b"small"))
            await until(lambda: "data_received" in recorder.names())
            await turn_loop()
            assert recorder.names() == ["headers_received", "data_received"]
            recorder.open_data.set()
            await client.receive()
        assert recorder.names() == ["headers_received", "data_received", "finish"]

    @pytest.mark.parametrize("leave", ["close", "reset"])
    @on_both_loops
    async def test_a_client_that_leaves_within_its_body_is_told_in_place_of_the_end(
        self, leave: str
    ) -> None:
        recorder = Recorder()
        async with self.serving(recorder) as port:
            async with await Client.connect(port) as client:
                client.send(request("/", method="POST", body=b"small")[:-1])
                await until(lambda: bool(recorder.calls))
                if leave == "reset":
                    client.reset()
            await until(lambda: recorder.names()[-1:] == ["on_connection_close"])
            await turn_loop()
        assert recorder.names().count("on_connection_close") == 1
        assert "finish" not in recorder.names()

    @on_both_loops
    async def test_a_client_that_leaves_after_its_request_is_told_to_the_callback(self) -> None:
        recorder = Recorder()
        recorder.answers_at_once = False
        told: list[bool] = []
        async with self.serving(recorder) as port:
            async with await Client.connect(port) as client:
                client.send(request("/"))
                await until(lambda: "finish" in recorder.names())
                recorder.exchanges[0].connection.set_close_callback(lambda: told.append(True))
            await until(lambda: told == [True])
            with pytest.raises(StreamClosedError):
                await self._answer_until_it_fails(recorder)
        assert recorder.names() == ["headers_received", "finish"]
        assert told == [True]

    @on_both_loops
    async def test_one_exchange_is_over_before_the_next_begins(self) -> None:
        recorder = Recorder()
        recorder.answers_at_once = False
        async with self.serving(recorder) as port, await Client.connect(port) as client:
            client.send(request("/") * 3)
            for number in range(3):
                await until(lambda: len(recorder.exchanges) > number)  # noqa: B023 - called at once.
                await turn_loop()
                assert len(recorder.exchanges) == number + 1
                recorder.exchanges[number].answer()
                assert (await client.receive()).body == b"%d" % number
        assert recorder.calls == [
            (number, name) for number in range(3) for name in ("headers_received", "finish")
        ]

    @staticmethod
    async def _answer_until_it_fails(recorder: Recorder) -> None:
        # A half-closed client may be written to; one that is gone resets what is sent first.
        connection = recorder.exchanges[0].connection
        start = ResponseStartLine("HTTP/1.1", 200, "OK")
        await connection.write_headers(start, HTTPHeaders({"Content-Length": "1000000"}))
        while True:
            await connection.write(b"x")
            await asyncio.sleep(0)
