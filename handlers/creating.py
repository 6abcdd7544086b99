"""How new todos are read and answered, the same on both roads."""

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus

from msgspec import Struct

from app.domain.todo import Todo, TodoDraft
from app.httpserver import Answer
from handlers.representation import ALWAYS

_HOLE = "%b"
"""Stands in a head where a request's id, a todo's id and the length of a body will be."""


class Creation(Struct, frozen=True, kw_only=True):
    """A POST that stores a new todo."""

    target: str
    """Its path, which is its route as well."""

    media_type: str
    """The one that it is mostly sent in; the ordinary road may know more."""

    read: Callable[[bytes], TodoDraft]
    """Reads a body; raises `RequestProblem`."""

    status: HTTPStatus
    fields: Mapping[str, str]
    """Header fields of the answer, beside Location."""

    render: Callable[[Todo], bytes]
    """Makes the body of the answer."""

    def media_types(self) -> Iterator[str]:
        """Yield the media type as most clients write it; the ordinary road knows all ways."""
        yield self.media_type
        for parameter in ("charset=UTF-8", "charset=utf-8"):
            yield f"{self.media_type};{parameter}"
            yield f"{self.media_type}; {parameter}"

    def location(self, todo_id: str) -> str:
        """Return the address of a todo."""
        return f"/v1/todos/{todo_id}"

    def template(self) -> bytes:
        """Return the head of an answer, with places for both ids and the length."""
        fields = {"X-Request-Id": _HOLE, **ALWAYS, "Location": self.location(_HOLE), **self.fields}
        head = Answer.build(self.status, fields.items()).head
        template = head.replace(b"Content-Length: 0\r\n", b"Content-Length: %d\r\n")
        if template.count(b"%") != len((_HOLE, _HOLE, "%d")):
            raise ValueError(f"{self.target}: a header field holds a per cent sign")
        return template
