"""Every error an answer can carry, as RFC 9457 problem details.

``PROBLEMS`` is the catalogue: the README's table and the pages at ``/problems/<code>`` are made
from it. `problem_of` is the one place where errors become answers.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from msgspec import UNSET, Struct, UnsetType
from tornado.web import HTTPError

from app.errors import (
    InvalidCursor,
    RevConflict,
    StorageOverloaded,
    StorageRefused,
    StorageUnavailable,
    TodoNotFound,
    WriteNotBegun,
)
from handlers.wire import TodoView, entity_tag, view


class ProblemType(Struct, frozen=True):
    """A kind of problem: what its title says and what a caller can do about it."""

    status: int
    title: str
    advice: str


PROBLEM_JSON = "application/problem+json"
"""The media type of every error (RFC 9457, section 3)."""

PROBLEMS: Mapping[str, ProblemType] = {
    "invalid-parameter": ProblemType(
        400, "Invalid parameter", "`errors` names the query parameter or form field."
    ),
    "invalid-header": ProblemType(
        400, "Invalid header field", "`errors` names the header field that cannot be understood."
    ),
    "malformed-request": ProblemType(
        400, "Malformed request", "This is no valid HTTP/1.1; `detail` says what is wrong with it."
    ),
    "malformed-json": ProblemType(
        400, "Malformed JSON", "Send one JSON document in UTF-8, without repeated names or NaN."
    ),
    "local-only": ProblemType(
        403,
        "Local only",
        "There are no accounts yet, so by default this machine alone is served, under its own "
        "names. `detail` says by what your request looks like another's, and which setting lets "
        "it in.",
    ),
    "cross-origin": ProblemType(
        403,
        "Cross-origin",
        "A page of another origin may not change todos. Programs send neither `Origin` nor "
        "`Sec-Fetch-Site`.",
    ),
    "not-found": ProblemType(
        404, "Not found", "Nothing has this address. `/openapi.json` lists those that exist."
    ),
    "todo-not-found": ProblemType(
        404, "Todo not found", "No todo of yours has this id; it may have been deleted."
    ),
    "method-not-allowed": ProblemType(
        405, "Method not allowed", "The `Allow` header field lists the methods this address has."
    ),
    "request-timeout": ProblemType(
        408, "Request timeout", "The request did not arrive in time, or too slowly; repeat it."
    ),
    "precondition-failed": ProblemType(
        412,
        "Precondition failed",
        "What you saw has changed. `ETag` is its present tag, and `current` the todo if you meant "
        "to change one: decide again and repeat the request with the new `If-Match`.",
    ),
    "content-too-large": ProblemType(
        413, "Content too large", "The body is above the limit and was not read."
    ),
    "uri-too-long": ProblemType(414, "URI too long", "The request line is above the limit."),
    "unsupported-media-type": ProblemType(
        415,
        "Unsupported media type",
        "`Accept-Post` or `Accept-Patch` says what this address reads; compressed bodies are "
        "not read.",
    ),
    "expectation-failed": ProblemType(
        417, "Expectation failed", "The only expectation that can be met is `100-continue`."
    ),
    "invalid-content": ProblemType(
        422, "Invalid content", "`errors` points to the member that is wrong and says why."
    ),
    "header-fields-too-large": ProblemType(
        431,
        "Header fields too large",
        "The header fields, or the trailers of a body, are too many or too long.",
    ),
    "internal-error": ProblemType(
        500, "Internal error", "A fault of ours. It is logged under the request id: report that."
    ),
    "not-implemented": ProblemType(
        501, "Not implemented", "No address here has this method, or reads this transfer coding."
    ),
    "storage-unavailable": ProblemType(
        503,
        "Storage unavailable",
        "The database did not answer in time, or refuses. A write may or may not have taken place, "
        "unless `detail` says that nothing was done: read before you repeat it. `Retry-After` says "
        "when to try again.",
    ),
    "overloaded": ProblemType(
        503,
        "Overloaded",
        "Too many requests wait for the database. Nothing was done; repeat the request after "
        "`Retry-After` seconds.",
    ),
    "http-version-not-supported": ProblemType(
        505, "HTTP version not supported", "Only HTTP/1.0 and HTTP/1.1 are spoken here."
    ),
}

REFUSALS = (
    *("malformed-request", "request-timeout", "content-too-large", "uri-too-long"),
    *("expectation-failed", "header-fields-too-large", "not-implemented"),
    "http-version-not-supported",
)
"""What the server itself may answer, whatever the address."""


class FieldError(Struct, frozen=True, omit_defaults=True):
    """What is wrong with one member, query parameter, form field or header field."""

    detail: str
    code: str
    pointer: str | UnsetType = UNSET
    """A JSON Pointer as a URI fragment (RFC 6901, section 6), for members of a body."""
    parameter: str | UnsetType = UNSET
    """The name of a query parameter or form field."""
    header: str | UnsetType = UNSET
    """The name of a header field."""


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every error (RFC 9457, section 3)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: tuple[FieldError, ...] | UnsetType = UNSET
    current: TodoView | UnsetType = UNSET
    """The todo as it is now, when a precondition failed."""


class RequestProblem(Exception):
    """An error with its answer: a code of ``PROBLEMS`` and what is special this time."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        current: TodoView | UnsetType = UNSET,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers or {}
        self.current = current

    @property
    def status(self) -> int:
        """The status code of the answer."""
        return PROBLEMS[self.code].status

    def render(self, request_id: str) -> Problem:
        """Return the body of the answer to this request."""
        return Problem(
            type=f"/problems/{self.code}",
            title=PROBLEMS[self.code].title,
            status=self.status,
            detail=self.detail,
            instance=f"urn:request:{request_id}",
            errors=self.errors or UNSET,
            current=self.current,
        )


INVALID_CURSOR = ("invalid_cursor", "is damaged or was made for another list")
"""The code of a cursor that leads nowhere, and what is wrong with it."""

_STATUS_CODES = {
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
}
_DETAILS = {
    "not-found": "Nothing has this address; /openapi.json describes those that exist.",
    "method-not-allowed": "Method not allowed.",
}


def problem_of(  # noqa: PLR0911 - a table: one row for each error.
    error: BaseException | None, *, retry_after_seconds: int
) -> RequestProblem:
    """Return the problem that an error is answered with.

    What is not expected here is a fault of ours: its text stays in the log.
    """
    retry = {"Retry-After": str(retry_after_seconds)}
    match error:
        case RequestProblem():
            return error
        case TodoNotFound():
            return RequestProblem("todo-not-found", "There is no such todo.")
        case RevConflict(current=todo):
            return RequestProblem(
                "precondition-failed",
                f"The todo is at revision {todo.rev}.",
                headers={"ETag": entity_tag(todo)},
                current=view(todo),
            )
        case InvalidCursor():
            code, detail = INVALID_CURSOR
            wrong = FieldError(parameter="cursor", code=code, detail=detail)
            return RequestProblem("invalid-parameter", f"cursor {detail}.", errors=[wrong])
        case StorageOverloaded():
            return RequestProblem(
                "overloaded", "Too many requests wait for the database.", headers=retry
            )
        case WriteNotBegun():
            return RequestProblem(
                "storage-unavailable",
                "Nothing was done: Redis, which must hear of every write, does not answer.",
                headers=retry,
            )
        case StorageRefused():
            return RequestProblem(
                "storage-unavailable", "The database does not allow it at present.", headers=retry
            )
        case StorageUnavailable():
            return RequestProblem(
                "storage-unavailable", "The database did not answer in time.", headers=retry
            )
        case HTTPError(status_code=status) if status in _STATUS_CODES:
            code = _STATUS_CODES[HTTPStatus(status)]
            return RequestProblem(code, _DETAILS[code])
    return RequestProblem("internal-error", "Something went wrong on our side.")
