"""The Tornado application: routes, and what is counted and recorded of each request."""

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
from app.metrics import Metrics
from handlers.base import BaseHandler, Dependencies, Route
from handlers.in_flight import InFlight
from handlers.reference import NotFoundHandler


class TodoApplication(Application):
    """Serves the routes."""

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
        self.in_flight = dependencies.in_flight

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        """Begin a request; called by the server before its head is read."""
        return _Exchange(
            super().start_request(server_conn, request_conn), self.in_flight, request_conn
        )

    def log_request(self, handler: RequestHandler) -> None:
        """Record an answered request; called by Tornado once for each."""
        if not isinstance(handler, BaseHandler):
            raise TypeError(f"{type(handler).__name__} is no BaseHandler")
        record_request(
            self._metrics,
            method=handler.request.method or "",
            route=handler.route,
            path=handler.request.path,
            status=handler.get_status(),
            seconds=handler.request.request_time(),
            scheme=handler.request.protocol,
            client_address=handler.request.remote_ip or "",
            request_id=handler.request_id,
        )


def record_request(
    metrics: Metrics,
    *,
    method: str,
    route: str,
    path: str,
    status: int,
    seconds: float,
    scheme: str,
    client_address: str,
    request_id: str,
) -> None:
    """Measure an answered request and log its line, whoever answered it."""
    metrics.request(method=method, route=route, status=status, scheme=scheme, seconds=seconds)
    log.access.info(
        "request",
        extra={
            "fields": {
                "http.request.method": log.shorten(method),
                "http.route": route,
                "url.path": log.shorten(path),
                "http.response.status_code": status,
                "duration_ms": round(seconds * 1000, 3),
                "client.address": client_address,
                "request_id": request_id,
            }
        },
    )


class _Exchange(HTTPMessageDelegate):
    """Passes a request on and counts it from its head; `BaseHandler.finish` counts its end."""

    def __init__(
        self, inner: HTTPMessageDelegate, in_flight: InFlight, connection: HTTPConnection
    ) -> None:
        self._inner = inner
        self._in_flight = in_flight
        self._connection = connection

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._in_flight.enter(self._connection)
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._inner.data_received(chunk)

    def finish(self) -> None:
        self._inner.finish()

    def on_connection_close(self) -> None:
        self._in_flight.leave(self._connection)
        self._inner.on_connection_close()
