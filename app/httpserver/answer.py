"""Answers that are kept ready as bytes, and who gives them."""

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import NamedTuple

from tornado.httputil import HTTPHeaders, HTTPInputError

from app.httpserver.context import Context
from app.httpserver.encoding import encode_head
from app.httpserver.framing import ReadyRequest
from app.httpserver.refusal import Refusal

_ADDED = frozenset({"Date", "Connection", "Content-Length", "Transfer-Encoding"})


class Answer(NamedTuple):
    """A response that only lacks Date and Connection, which the server adds."""

    head: bytes
    """Status line and header fields, each with its line end; without the empty line."""

    body: bytes = b""
    """Left out in answers to HEAD."""

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


Ready = Callable[[ReadyRequest, Context], Answer | Awaitable[Answer | None] | None]
"""Answers a request from its head, now or later; None sends it to the application.

It is told where the request came from too, which is for logging: answers are chosen by the request.

It is asked about plain GET and HEAD requests only: HTTP/1.1, without a body and without any field
that changes how a request must be treated (`framing.UNUSUAL`). An awaitable has no deadline, and is
not cancelled when its client goes.
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
