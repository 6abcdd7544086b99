"""What all handlers share: request ids, bodies, answers, errors."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import msgspec
from msgspec import Struct
from tornado.web import HTTPError, RequestHandler, stream_request_body

from app import log
from app.domain.todo import PUBLIC_OWNER, TodoDraft
from app.errors import StorageUnavailable, TodoNotFound
from app.metrics import METHODS, Metrics
from app.services.freshness import Found, Reader, Source
from app.services.health import HealthService
from app.services.todos import TodoService
from handlers.creating import Creation
from handlers.doors import Doors
from handlers.media_types import Parameterised, parse_parameterised
from handlers.operation import JSON, Body, operation_of
from handlers.problems import PROBLEM_JSON, RequestProblem, problem_of
from handlers.recording import log_if_fault
from handlers.representation import ALWAYS, CACHE_CONTROL, MISSING, NOT_MODIFIED, Representation
from handlers.request_ids import request_id
from handlers.shortcut import Shortcut
from handlers.validation import NoParameters, parse_query

Load = Callable[[str | None], Awaitable[Representation]]
"""Makes a representation from what the services say, at the scope's stamp; see `Source.load`."""

_UTF_8 = ("utf-8", "utf8", "us-ascii")
"""Names of the only character set that is read, and of a part of it; the second is none of IANA's,
but sent."""


class Dependencies(Struct, frozen=True, kw_only=True):
    """What handlers work with; the bootstrap makes it."""

    todos: TodoService
    health: HealthService
    doors: Doors
    metrics: Metrics
    reader: Reader[Representation]
    shortcut: Shortcut
    cache_status: bool
    """Whether answers say where they come from (RFC 9211)."""
    openapi: bytes
    """The OpenAPI document, as JSON."""
    max_start: int
    """Largest ``start`` of the first version's list."""
    retry_after_seconds: int
    """What clients are told when the database is away."""


class Route(Struct, frozen=True):
    """An address: a template such as ``/v1/todos/{todo_id}`` and the handler behind it."""

    template: str
    handler: type["BaseHandler"]

    @property
    def pattern(self) -> str:
        """The regular expression of the addresses, for Tornado's router."""
        return re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.template))

    def matches(self, path: str) -> bool:
        """Tell whether a path is one of these addresses."""
        return re.fullmatch(self.pattern, path) is not None


@stream_request_body  # So that Tornado does not parse forms: `handlers.v0` does, strictly.
class BaseHandler(RequestHandler):
    """Base of all handlers; see `Dependencies` for what it is given."""

    is_guarded: ClassVar[bool] = True
    """Who is not let in (`handlers.doors`) is not answered. False for what tells nothing of todos
    and is asked for by others: monitoring, and what a refusal links to."""

    def initialize(self, *, route: str, dependencies: Dependencies) -> None:
        """Take what the route was set up with; called by Tornado for each request."""
        self.route = route
        self.dependencies = dependencies
        self.owner = PUBLIC_OWNER
        self._body = bytearray()

    # Tornado's order of calls: set_default_headers, initialize, prepare, data_received, the method.

    def set_default_headers(self) -> None:
        """Set what every answer carries; called again when an error discards the headers."""
        given = self.request.headers.get("X-Request-Id")
        self.request_id = request_id(given)
        if self.request_id != given:  # An error calls this again.
            self.request.headers["X-Request-Id"] = self.request_id
        self.clear_header("Server")
        self.clear_header("Date")  # The HTTP server adds it, to ready answers as well.
        self.clear_header("Content-Type")  # Set by who writes a body; some answers have none.
        self.set_header("X-Request-Id", self.request_id)
        for name, value in ALWAYS.items():
            self.set_header(name, value)

    def prepare(self) -> Awaitable[None] | None:
        """Let what is logged from here on carry the request's id; refuse who is not let in."""
        log.request_id.set(self.request_id)
        if self.is_guarded:
            asked = self.request
            method = asked.method or ""
            refusal = self.dependencies.doors.judge(method, asked.headers.get, asked.protocol)
            if refusal is not None:
                raise refusal
        if "Expect" in self.request.headers:
            self._refuse_by_head()
        return None

    def _refuse_by_head(self) -> None:
        """Refuse what can be foreseen before the client sends its body (RFC 9110, 10.1.1)."""
        if self.request.method not in self.allowed_methods():
            raise HTTPError(405)
        if self._body_of(self.request.method) is not None:
            self.require_media_type()

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Gather the body, which the server holds below its limit."""
        self._body += chunk
        return None

    def head(self, *args: str, **kwargs: str) -> Any:
        """Answer as GET does; Tornado leaves the body out."""
        return self.get(*args, **kwargs)

    def options(self, *_: str, **__: str) -> None:
        """Say which methods and media types this address takes."""
        self.set_status(204)
        self.set_header("Allow", ", ".join(self.allowed_methods()))
        for method, header in (("POST", "Accept-Post"), ("PATCH", "Accept-Patch")):
            body = self._body_of(method)
            if body is not None:
                self.set_header(header, ", ".join(body.media_types))

    @classmethod
    def allowed_methods(cls) -> tuple[str, ...]:
        """Return the methods of this address, for the Allow header field."""
        own = [
            method
            for method in sorted(METHODS - {"HEAD", "OPTIONS"})
            if getattr(cls, method.lower()) is not RequestHandler._unimplemented_method  # noqa: SLF001 - the mark by which Tornado tells them.
        ]
        return (*own, "HEAD", "OPTIONS") if "GET" in own else (*own, "OPTIONS")

    @property
    def body(self) -> bytes:
        """The request's body, whole once a method of the handler runs."""
        return bytes(self._body)

    def refuse_parameters(self) -> None:
        """Refuse a query, where the call has no parameters."""
        parse_query(self.request.query, NoParameters)

    def require_media_type(self) -> Parameterised:
        """Return the body's media type; refuse a type, character set or coding that is not read.

        Parameters that nobody here knows change nothing (RFC 2045, section 5).
        """
        body = self._body_of(self.request.method or "")
        accepted, default = ((), "") if body is None else (body.media_types, body.default)
        media_type = parse_parameterised(self.request.headers.get("Content-Type", default))
        fields = {}
        if (
            media_type is None
            or media_type.first not in accepted
            or media_type.parameters.get("charset", "utf-8").lower() not in _UTF_8
        ):
            header = "Accept-Patch" if self.request.method == "PATCH" else "Accept-Post"
            fields[header] = ", ".join(accepted)
        codings = self.request.headers.get("Content-Encoding", "").lower().split(",")
        if not {coding.strip(" \t") for coding in codings} <= {"", "identity"}:
            # Only where this was the reason (RFC 9110, section 12.5.3).
            fields["Accept-Encoding"] = "identity"
        if media_type is None or fields:
            raise RequestProblem(
                "unsupported-media-type",
                f"Send {' or '.join(accepted)} in UTF-8, not compressed.",
                headers=fields,
            )
        return media_type

    async def create(self, creation: Creation, draft: TodoDraft) -> None:
        """Store a new todo, and answer."""
        todo = await self.dependencies.todos.add(self.owner, draft)
        self.set_status(creation.status)
        self.set_header("Location", creation.location(todo.id))
        for name, value in creation.fields.items():
            self.set_header(name, value)
        self.write(creation.render(todo))

    def reply(self, status: int, body: Struct, *, tag: str | None = None) -> None:
        """Answer a change with JSON, and with the strong entity tag of what is described."""
        if tag is not None:
            self.set_header("ETag", tag)
        self.set_status(status)
        self.set_header("Content-Type", JSON)
        self.write(msgspec.json.encode(body))

    def reply_with(self, representation: Representation) -> None:
        """Answer a GET, heeding the conditions on it."""
        self.set_header(*CACHE_CONTROL)
        status = representation.heed(self.request.headers)
        self.set_status(status)
        for name, value in representation.fields_of(status):
            self.set_header(name, value)
        if status is not NOT_MODIFIED:
            self.write(representation.body)

    async def reply_from(
        self,
        key: str,
        load: Load,
        *,
        is_absent: Callable[[str | None], bool] | None = None,
    ) -> None:
        """Answer a GET through the cache; see `read`, which raises what this does."""
        found, source = await self.read(key, load, is_absent=is_absent)
        if self.dependencies.cache_status:
            # The shortcut cannot tell this, so it is not taken.
            self.set_header("Cache-Status", f"todo; {found.level.value}")
        else:
            self.dependencies.shortcut.remember(self.request.uri or "", self.route, source)
        self.reply_with(found.body)

    async def read(
        self,
        key: str,
        load: Load,
        *,
        is_absent: Callable[[str | None], bool] | None = None,
    ) -> tuple[Found[Representation], Source[Representation]]:
        """Return what is found through the cache, and where.

        Args:
            key: names what is asked for among all that belongs to the owner: equal keys, equal
                answers.
            load: makes it from what the services say; see `Source.load`.
            is_absent: takes the scope's stamp, and tells whether there certainly is no such thing.

        Raises:
            TodoNotFound: there is no such thing.
        """

        async def load_or_miss(stamp: str | None) -> Representation:
            try:
                return await load(stamp)
            except TodoNotFound:
                return MISSING

        source = Source(self.owner, key, load_or_miss)
        reader = self.dependencies.reader
        stamp = await reader.stamp_of(self.owner)
        if is_absent is not None and is_absent(stamp):
            raise TodoNotFound
        found = await reader.read_on(source, stamp)
        if found.body.is_missing:
            raise TodoNotFound
        return found, source

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Render an error that Tornado caught as a problem document."""
        # Without one, the process ends under the request: nobody will read this, but it is logged.
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else StorageUnavailable()
        self.write_problem(
            problem_of(error, retry_after_seconds=self.dependencies.retry_after_seconds)
        )

    def write_problem(self, problem: RequestProblem) -> None:
        """End the request with a problem document."""
        self.clear()
        self.set_status(problem.status)
        if problem.code == "method-not-allowed":
            self.set_header("Allow", ", ".join(self.allowed_methods()))
        for name, value in problem.headers.items():
            self.set_header(name, value)
        self.set_header("Content-Type", PROBLEM_JSON)
        self.finish(msgspec.json.encode(problem.render(self.request_id)))

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log faults of ours with their stack; problems have their access line."""
        problem = problem_of(value, retry_after_seconds=self.dependencies.retry_after_seconds)
        log_if_fault(self.dependencies.metrics, self.route, problem, value)

    def compute_etag(self) -> None:
        """Leave entity tags to `reply`: a digest of every answer is work for nothing."""

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Return a part of the path as text; what is not UTF-8 names nothing that exists."""
        return value.decode("utf-8", "replace")

    def _body_of(self, method: str) -> Body | None:
        described = operation_of(getattr(self, method.lower()))
        return None if described is None else described.body
