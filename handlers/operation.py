"""What a handler's methods take and answer, said beside them.

The OpenAPI document is made from this and from the routes that really serve; the tests hold every
answer they see against it.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec import Struct

from handlers.problems import REFUSALS

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
TEXT = "text/plain"
HTML = "text/html"

ANYWHERE = (*REFUSALS, "internal-error")
"""Problems that every operation may answer with."""


class Body(Struct, frozen=True):
    """A request body: its type, and the media types it may come in."""

    kind: type
    media_types: tuple[str, ...]
    default: str = ""
    """The media type of a body that comes without one; empty where it must be said."""


class Answer(Struct, frozen=True):
    """A successful answer: its body's type (None: no body) and its special header fields."""

    description: str
    kind: Any = None
    media_type: str = JSON
    headers: tuple[str, ...] = ()
    other_media_types: tuple[str, ...] = ()
    """Those of texts that say the same, chosen by Accept."""


class Operation(Struct, frozen=True, kw_only=True):
    """One method of one resource."""

    summary: str
    answers: Mapping[int, Answer]
    problems: tuple[str, ...] = ()
    """Codes of the problems it may answer with, beside those that follow from the fields below."""
    query: type | None = None
    """The struct whose fields are the query parameters."""
    body: Body | None = None
    conditional: bool = False
    """Whether If-Match and If-None-Match are honoured."""

    def problem_codes(self) -> tuple[str, ...]:
        """Return the codes of all problems it may answer with."""
        codes = [*ANYWHERE, *self.problems]
        if "storage-unavailable" in self.problems:
            codes.append("overloaded")
        if self.body is not None:
            codes.append("unsupported-media-type")
            if JSON in self.body.media_types:
                codes += ["malformed-json", "invalid-content"]
        if self.conditional:
            codes += ["invalid-header", "precondition-failed"]
        return tuple(codes)


Method = TypeVar("Method", bound=Callable[..., Any])


def operation(description: Operation) -> Callable[[Method], Method]:
    """Attach its description to a handler's method."""

    def attach(method: Method) -> Method:
        method.__dict__["operation"] = description
        return method

    return attach


def operation_of(method: Callable[..., Any]) -> Operation | None:
    """Return what `operation` attached to a method."""
    found: Operation | None = getattr(method, "operation", None)
    return found
