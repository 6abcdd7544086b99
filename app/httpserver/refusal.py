"""What the server itself answers to a request that it cannot or will not read."""

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.httputil import RequestStartLine

    from app.httpserver.head import Fields, Forwarded


class Refusal(Exception):
    """A request that the server answers itself, and closes the connection after.

    Attributes:
        status: the status code of the answer.
        reason: one sentence for the client and the log; never a part of what the client sent.
        fields: header fields that this status must carry, such as Allow.
        start_line: what was asked, if as much could be read.
        request_fields: the request's header fields, as far as they could be read and had come in.
        forwarded: X-Forwarded-For and X-Forwarded-Proto; None in a head that is malformed, of which
            nobody can tell what a proxy has written.
    """

    def __init__(
        self, status: HTTPStatus, reason: str, fields: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.fields = fields
        self.start_line: RequestStartLine | None = None
        self.request_fields: Fields = ()
        self.forwarded: Forwarded = (None, None)


def bad_request(reason: str) -> Refusal:
    """Return the refusal of a message that two parsers could read differently."""
    return Refusal(HTTPStatus.BAD_REQUEST, reason)


def content_too_large(max_bytes: int) -> Refusal:
    """Return the refusal of a body above the limit (RFC 9110, section 15.5.14)."""
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body has more than {max_bytes} bytes."
    )


def request_timeout(reason: str) -> Refusal:
    """Return the refusal of a request that comes too slowly (RFC 9110, section 15.5.9)."""
    return Refusal(HTTPStatus.REQUEST_TIMEOUT, reason)
