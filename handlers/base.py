"""What all handlers share: request ids, bodies, answers, errors."""

import hashlib
import logging
import re
import secrets
from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct
from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler, stream_request_body

from app import log
from app.domain.todo import PUBLIC_OWNER
from app.errors import StorageUnavailable
from app.metrics import METHODS, Metrics
from app.services.health import HealthService
from app.services.todos import TodoService
from handlers.conditions import parse_tags
from handlers.operation import JSON, Operation, operation_of
from handlers.problems import PROBLEM_JSON, RequestProblem, problem_of
from handlers.validation import parse_json

T = TypeVar("T")

_log = logging.getLogger(__name__)

ALWAYS: Mapping[str, str] = MappingProxyType({
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
})  # fmt: skip
"""What every answer carries, unless it says otherwise."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


class Dependencies(Struct, frozen=True, kw_only=True):
    """What handlers work with; the bootstrap makes it."""

    todos: TodoService
    health: HealthService
    metrics: Metrics
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

    def initialize(self, *, route: str, dependencies: Dependencies) -> None:
        """Take what the route was set up with; called by Tornado for each request."""
        self.route = route
        self.dependencies = dependencies
        self.owner = PUBLIC_OWNER
        self._body = bytearray()

    # Tornado's order of calls: set_default_headers, initialize, prepare, data_received, the method.

    def set_default_headers(self) -> None:
        """Set what every answer carries; called again when an error discards the headers."""
        self.request_id = _request_id(self.request)
        self.clear_header("Server")
        self.clear_header("Content-Type")  # Set by who writes a body; some answers have none.
        self.set_header("X-Request-Id", self.request_id)
        for name, value in ALWAYS.items():
            self.set_header(name, value)

    def prepare(self) -> Awaitable[None] | None:
        """Let what is logged from here on carry the request's id."""
        log.request_id.set(self.request_id)
        return None

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
            described = self._operation(method)
            if described is not None and described.body is not None:
                self.set_header(header, ", ".join(described.body.media_types))

    @classmethod
    def allowed_methods(cls) -> tuple[str, ...]:
        """Return the methods of this address, for the Allow header field."""
        own = [
            method
            for method in sorted(METHODS - {"HEAD", "OPTIONS"})
            if getattr(cls, method.lower()) is not RequestHandler._unimplemented_method  # noqa: SLF001 - the mark by which Tornado tells them.
        ]
        return (*own, "HEAD", "OPTIONS") if "GET" in own else (*own, "OPTIONS")

    def json_body(self, kind: type[T]) -> T:
        """Return the body as a value of ``kind``; the problem says what is wrong otherwise."""
        self.require_media_type()
        return parse_json(bytes(self._body), kind)

    def body_text(self) -> str:
        """Return the body as text; bytes that are not UTF-8 stand as lone surrogates."""
        return self._body.decode("utf-8", "surrogateescape")

    def require_media_type(self) -> None:
        """Refuse a body in a media type, character set or coding that is not read here."""
        described = self._operation(self.request.method or "")
        accepted = () if described is None or described.body is None else described.body.media_types
        media_type, _, parameters = self.request.headers.get("Content-Type", "").partition(";")
        coding = self.request.headers.get("Content-Encoding", "identity")
        charset = parameters.strip().lower().replace('"', "")
        if (
            media_type.strip().lower() not in accepted
            or charset not in ("", "charset=utf-8")
            or coding.lower() != "identity"
        ):
            header = "Accept-Patch" if self.request.method == "PATCH" else "Accept-Post"
            readable = ", ".join(accepted)
            raise RequestProblem(
                "unsupported-media-type",
                f"Send {readable} in UTF-8, not compressed.",
                headers={header: readable},
            )

    def reply(self, status: int, body: Struct | Raw, *, tag: str | None = None) -> None:
        """Answer with JSON; a GET's answer gets an entity tag and heeds the conditions on it.

        Args:
            status: the status code.
            body: what is rendered as JSON.
            tag: the strong entity tag; made from the body when a GET gives none.
        """
        content = msgspec.json.encode(body)
        if self.request.method in ("GET", "HEAD"):
            tag = tag or f'"{hashlib.blake2b(content, digest_size=9).hexdigest()}"'
            self.set_header("Cache-Control", "private, no-cache")
            if self._is_unchanged(tag):
                self.set_header("ETag", tag)
                self.set_status(304)
                return
        if tag is not None:
            self.set_header("ETag", tag)
        self.set_status(status)
        self.set_header("Content-Type", JSON)
        self.write(content)

    def _is_unchanged(self, tag: str) -> bool:
        # RFC 9110, section 13.2.2: If-Match first, then If-None-Match.
        match = parse_tags(self.request.headers, "If-Match")
        if match is not None and not match.match_strongly(tag):
            raise RequestProblem(
                "precondition-failed", f"It is at {tag} now.", headers={"ETag": tag}
            )
        none_match = parse_tags(self.request.headers, "If-None-Match")
        return none_match is not None and none_match.match_weakly(tag)

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
        if problem.code == "internal-error":
            self.dependencies.metrics.fault()
            _log.error("fault in %s", self.route, exc_info=value)

    def compute_etag(self) -> None:
        """Leave entity tags to `reply`: a digest of every answer is work for nothing."""

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Return a part of the path as text; what is not UTF-8 names nothing that exists."""
        return value.decode("utf-8", "replace")

    def _operation(self, method: str) -> Operation | None:
        return operation_of(getattr(self, method.lower()))


def _request_id(request: HTTPServerRequest) -> str:
    """Return the client's request id if it is fit for logs and headers, or a new one."""
    given = request.headers.get("X-Request-Id", "")
    if _REQUEST_ID.fullmatch(given) is None:
        given = secrets.token_hex(8)
        request.headers["X-Request-Id"] = given
    return given
