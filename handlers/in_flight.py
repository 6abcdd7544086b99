"""Which requests are being read or answered."""

import asyncio

from tornado.httputil import HTTPConnection

from app.metrics import Metrics


class InFlight:
    """Counts requests from their head to the last byte of their answer."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        # Tornado makes a new connection object for each request, also on a kept-alive socket.
        self._requests: set[HTTPConnection] = set()
        self._none = asyncio.Event()
        self._none.set()

    def enter(self, request: HTTPConnection) -> None:
        """Count a request whose head has arrived."""
        self._requests.add(request)
        self._none.clear()
        self._metrics.active_requests(len(self._requests))

    def leave(self, request: HTTPConnection) -> None:
        """Count a request no longer: its answer is sent or its client is gone."""
        self._requests.discard(request)
        self._metrics.active_requests(len(self._requests))
        if not self._requests:
            self._none.set()

    async def wait_until_none(self) -> None:
        """Return when no request is being read or answered."""
        await self._none.wait()
