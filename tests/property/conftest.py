"""``server``: sends requests made by Hypothesis; it must still serve when a test is done."""

from collections.abc import Iterator

import pytest
from api import Api
from exchange import Server
from tornado.ioloop import IOLoop


@pytest.fixture
def server(io_loop: IOLoop, api: Api, caplog: pytest.LogCaptureFixture) -> Iterator[Server]:
    server = Server(io_loop, api.port, caplog)
    yield server
    server.assert_serves()
