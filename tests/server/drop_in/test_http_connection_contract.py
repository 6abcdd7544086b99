"""The same promises, kept by Tornado's own server and by ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contract_http_connection import HttpConnectionContract, Recorder
from http_client import Client, request
from http_serving import on_both_loops, serving, until
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets


class TestOurServer(HttpConnectionContract):
    @asynccontextmanager
    async def serving(self, recorder: Recorder) -> AsyncIterator[int]:
        async with serving(recorder) as (_, port):
            yield port

    @on_both_loops
    async def test_the_application_is_told_that_a_connection_is_gone(self) -> None:
        # Tornado's own server keeps this to itself.
        recorder = Recorder()
        async with self.serving(recorder) as port:
            async with await Client.connect(port) as client:
                await client.call(request("/"))
                assert recorder.closed_connections == 0
            await until(lambda: recorder.closed_connections == 1)


class TestTornadosServer(HttpConnectionContract):
    @asynccontextmanager
    async def serving(self, recorder: Recorder) -> AsyncIterator[int]:
        server = HTTPServer(recorder)
        (listening,) = bind_sockets(0, "127.0.0.1")
        server.add_sockets([listening])
        try:
            yield listening.getsockname()[1]
        finally:
            server.stop()
            await server.close_all_connections()
