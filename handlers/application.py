"""The Tornado application: routes, and what is recorded of each request."""

from collections.abc import Sequence

from tornado.routing import URLSpec
from tornado.web import Application, RequestHandler

from handlers.base import BaseHandler, Dependencies, Route
from handlers.recording import record_request
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
        self.shortcut = dependencies.shortcut

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
