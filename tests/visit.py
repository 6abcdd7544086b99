"""A client in memory and the time it lives in: `Visit`."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from clock import Clock as Seconds
from http_serving import tick
from raw_http import read_answers
from recording_transport import RecordingTransport

from app.httpserver import Server

Run = Callable[[Coroutine[Any, Any, Any]], Any]


_TURNS = 20


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


class Visit:
    """A client in memory whose time a test moves."""

    def __init__(self, run: Run, server: Server, seconds: Seconds) -> None:
        self._run = run
        self._server = server
        self._seconds = seconds
        self.client = self._do(lambda: RecordingTransport(server, client_reads=True))

    def slow_reader(self) -> RecordingTransport:
        """Replace the client by one that reads nothing until it is told to."""
        self.client = self._do(lambda: RecordingTransport(self._server, client_reads=False))
        return self.client

    def send(self, data: bytes) -> None:
        self._do(lambda: self.client.send(data))

    def wait(self, seconds: float) -> None:
        """Let time pass, in the ticks of the server's clock."""
        left = seconds
        while left > 0:
            self._seconds.advance(min(1.0, left))
            left -= 1.0
            self._do(lambda: tick(self._server.clock))

    def _do(self, act: Callable[[], Any]) -> Any:
        async def acting() -> Any:
            result = act()
            await _turns()
            return result

        return self._run(acting())

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in read_answers(bytes(self.client.received))]
