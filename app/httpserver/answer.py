"""Answers that are kept ready as bytes, and who gives them."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import NamedTuple

from tornado.httputil import HTTPHeaders, HTTPInputError

from app.httpserver.context import Context
from app.httpserver.encoding import encode_head
from app.httpserver.framing import ReadyRequest
from app.httpserver.later import Later
from app.httpserver.refusal import Refusal

_ADDED = frozenset({"Date", "Connection", "Content-Length", "Transfer-Encoding"})


class Answer(NamedTuple):
    """A response that only lacks Date and Connection, which the server adds."""

    head: bytes
    """Status line and header fields, each with its line end; without the empty line."""

    body: bytes = b""
    """Left out in answers to HEAD."""

    own_at: int = 0
    """Where in the head the bytes go that are each request's own (see `Later.answer`)."""

    @classmethod
    def build(
        cls, status: HTTPStatus, fields: Iterable[tuple[str, str]], body: bytes = b""
    ) -> "Answer":
        """Encode an answer once, to be sent many times.

        Args:
            status: a final status code.
            fields: header fields but for Date, Connection, Content-Length and Transfer-Encoding.
            body: what GET is answered with; must be empty where the status allows none.

        Raises:
            ValueError: a field is malformed or one of those, or a body stands where none may.
        """
        headers = HTTPHeaders()
        try:
            for name, value in fields:
                headers.add(name, value)
        except HTTPInputError as error:
            raise ValueError(str(error)) from None
        if not _ADDED.isdisjoint(headers):
            raise ValueError(f"the server adds {', '.join(sorted(_ADDED))}")
        if status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            headers["Content-Length"] = str(len(body))
        elif body:
            raise ValueError(f"an answer with status {status:d} has no body")
        return cls(encode_head(status, status.phrase, headers.get_all()), body)

    def filled(self, own: bytes) -> "Answer":
        """Return the answer to one request."""
        at = self.own_at
        return Answer(b"%b%b%b" % (self.head[:at], own, self.head[at:]), self.body)

    def around(self, last_field: bytes) -> tuple[bytes, bytes]:
        """Return all that is sent before and after what is a request's own."""
        start, rest = self.head[: self.own_at], self.head[self.own_at :]
        return start, b"".join((rest, last_field, b"\r\n", self.body))


Ready = Callable[[ReadyRequest], Answer | Later | None]
"""Answers a request, now or later; None sends it to the application.

It is asked about plain requests only: HTTP/1.1, without any field that changes how a request must
be treated (`framing.UNUSUAL`); GET and HEAD without a body, POST with one that is small enough
(`Options.ready_body_bytes`) and came together with the head.
"""

Refuse = Callable[[Refusal, Context], Answer]
"""Renders what the server itself answers to a client; called once for each request refused.

It is the place to count and log them as well.
"""


def plain_refusal(refusal: Refusal, _context: Context) -> Answer:
    """Render a refusal as a line of text."""
    return Answer.build(
        refusal.status,
        (("Content-Type", "text/plain; charset=utf-8"), *refusal.fields),
        f"{refusal.reason}\n".encode(),
    )
