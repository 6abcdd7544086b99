"""The Tornado application: routes, the requests in flight, and what is recorded of each."""

import asyncio
from collections.abc import Awaitable, Sequence

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.routing import URLSpec
from tornado.web import Application, RequestHandler

from app import log
from handlers.base import BaseHandler, Dependencies, Route
from handlers.reference import NotFoundHandler


class TodoApplication(Application):
    """Serves the routes; knows how many requests are being read or answered."""

    def __init__(self, routes: Sequence[Route], dependencies: Dependencies) -> None:
        super().__init__(
            [
                URLSpec(
                    route.pattern,
                    route.handler,
                    {"route": route.template, "dependencies": dependencies},
                )
                for route in routes
            ],
            default_handler_class=NotFoundHandler,
            default_handler_args={"route": "unknown", "dependencies": dependencies},
        )
        self._metrics = dependencies.metrics
        # Tornado makes a new connection object for each request, also on a kept-alive socket.
        self._in_flight: set[HTTPConnection] = set()
        self._none_in_flight = asyncio.Event()
        self._none_in_flight.set()

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        """Begin a request; called by the server before its head is read."""
        return _Exchange(super().start_request(server_conn, request_conn), self, request_conn)

    def enter(self, connection: HTTPConnection) -> None:
        """Count a request whose head has arrived."""
        self._in_flight.add(connection)
        self._none_in_flight.clear()
        self._metrics.active_requests(len(self._in_flight))

    def leave(self, connection: HTTPConnection) -> None:
        """Count a request no longer: it was answered or its client is gone."""
        self._in_flight.discard(connection)
        self._metrics.active_requests(len(self._in_flight))
        if not self._in_flight:
            self._none_in_flight.set()

    async def wait_until_idle(self) -> None:
        """Return when no request is being read or answered."""
        await self._none_in_flight.wait()

    def log_request(self, handler: RequestHandler) -> None:
        """Record an answered request; called by Tornado once for each."""
        request = handler.request
        if request.connection is not None:
            self.leave(request.connection)
        if not isinstance(handler, BaseHandler):
            raise TypeError(f"{type(handler).__name__} is no BaseHandler")
        seconds = request.request_time()
        method = request.method or ""
        self._metrics.request(
            method=method,
            route=handler.route,
            status=handler.get_status(),
            scheme=request.protocol,
            seconds=seconds,
        )
        log.access.info(
            "request",
            extra={
                "fields": {
                    "http.request.method": log.shorten(method),
                    "http.route": handler.route,
                    "url.path": log.shorten(request.path),
                    "http.response.status_code": handler.get_status(),
                    "duration_ms": round(seconds * 1000, 3),
                    "client.address": request.remote_ip,
                    "request_id": handler.request_id,
                }
            },
        )


class _Exchange(HTTPMessageDelegate):
    """Passes a request on and tells the application when it begins and when it is lost."""

    def __init__(
        self, inner: HTTPMessageDelegate, application: TodoApplication, connection: HTTPConnection
    ) -> None:
        self._inner = inner
        self._application = application
        self._connection = connection

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._application.enter(self._connection)
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._inner.data_received(chunk)

    def finish(self) -> None:
        self._inner.finish()

    def on_connection_close(self) -> None:
        self._application.leave(self._connection)
        self._inner.on_connection_close()
