"""The Tornado application: routes, and what is recorded of each request."""

from collections.abc import Sequence

from tornado.routing import URLSpec
from tornado.web import Application, RequestHandler

from app.httpserver import Later, ReadyRequest
from handlers.asked import OWN_FIELD, READY_FIELDS
from handlers.base import BaseHandler, Dependencies, Route
from handlers.create_shortcut import CreateShortcut
from handlers.doors import Get
from handlers.recording import Answered, record_requests
from handlers.reference import NotFoundHandler


class TodoApplication(Application):
    """Serves the routes."""

    ready_fields = READY_FIELDS
    """The header fields that `ready` looks at."""

    own_field = OWN_FIELD
    """The one that is each request's own."""

    def __init__(
        self,
        routes: Sequence[Route],
        create: CreateShortcut,
        dependencies: Dependencies,
    ) -> None:
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
        self.routes = routes
        self._metrics = dependencies.metrics
        self.shortcut = dependencies.shortcut
        self._create = create
        self._doors = dependencies.doors

    def may_be_ready(self, method: str, get: Get) -> bool:
        """Keep from `ready` who may not be let in; see `app.httpserver.MayBeReady`."""
        return self._doors.judge(method, get, None) is None

    def ready(self, request: ReadyRequest) -> Later | None:
        """Answer without a RequestHandler; see `app.httpserver.Ready`."""
        if request.method == "POST":
            return self._create(request)
        return self.shortcut(request)

    def log_request(self, handler: RequestHandler) -> None:
        """Record an answered request; called by Tornado once for each."""
        if not isinstance(handler, BaseHandler):
            raise TypeError(f"{type(handler).__name__} is no BaseHandler")
        request = handler.request
        answered = Answered(
            method=request.method or "",
            route=handler.route,
            path=request.path,
            status=handler.get_status(),
            scheme=request.protocol,
            seconds=request.request_time(),
        )
        clients = ((request.remote_ip or "", handler.request_id),)
        record_requests(self._metrics, answered, 1, clients)
