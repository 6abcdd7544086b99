"""Understands a request's head: whether it is valid, how long its body is. No I/O.

Everything that depends on the head alone is decided here once, in this order, so that the rest of
the server has no header field left to interpret. What two servers could read differently is
refused, never repaired (RFC 9112, section 11.2).
"""

import re
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

from tornado.httputil import RequestStartLine

from app.httpserver.head import Fields, Forwarded, RawHead
from app.httpserver.later import Later
from app.httpserver.options import Options
from app.httpserver.refusal import Refusal, bad_request
from app.httpserver.target import read_host, read_target

UNUSUAL = frozenset({
    "content-length", "transfer-encoding", "content-encoding", "content-type", "expect",
    "upgrade", "te", "trailer", "range", "if-range", "if-match", "if-modified-since",
    "if-unmodified-since",
})  # fmt: skip
"""Fields that send a request down the ordinary road: they ask for more than a prepared answer.

A POST has a Content-Length and may have a Content-Type all the same; who answers it must ask for
the latter. If-None-Match is none of them on purpose: a ready function that asks for it can answer
304 itself, and one whose answers carry an ETag must (RFC 9110, section 13.1.2). So it is with
Authorization, Cookie and Accept, where answers depend on them.
"""

_OF_A_BODY = frozenset({"content-length", "content-type"})
"""What a POST must have and may have; a ready function must ask for the latter."""

# Not even equal values are merged: what is sent twice was put together by somebody else, and the
# next server takes the first where this one takes the last (aiohttp, CVE-2026-34525).
_SINGLE = frozenset({"host", "content-length", "transfer-encoding"})

_DIGITS = re.compile(r"[0-9]+")
_DIGITS_THAT_FIT = 18
"""Of a Content-Length that is read as a number; one with more is above any limit."""
_ASCII_LIST = re.compile(r"[!-~ \t]+")


class ReadyRequest(NamedTuple):
    """What a ready function sees of a request; equal requests are equal, so it can be a key."""

    method: str
    """GET, HEAD or POST."""

    target: str
    """Path and query, as they were sent."""

    values: tuple[str | None, ...]
    """The header fields that the server was told to look for, in that order; None where one is
    missing. Values of a repeated field are joined by a comma and a space (RFC 9110, 5.2)."""

    body: bytes = b""
    """Of a POST."""


@dataclass(slots=True)
class RequestHead:
    """The head of a valid request; what it says never changes, so one can serve many requests."""

    start_line: RequestStartLine
    """As Tornado takes it; an absolute target has been reduced to its path and query."""

    fields: Fields
    keep_alive: bool
    """The client wants to go on with this connection."""

    content_length: int
    """Bytes of the body; 0 where there is none, and for a chunked one."""

    is_chunked: bool
    expects_continue: bool
    has_repeated_fields: bool
    ready_request: ReadyRequest | None
    """What the ready function is asked; None where the request must take the ordinary road."""

    takes_whole_answer: bool
    """A whole answer can be sent as it is: with its body, and the connection stays open."""

    forwarded: Forwarded

    own: str | None
    """The value of the field that is each request's own (`Server`), None where there is none. Heads
    that are remembered have none: they stand for all that differ in it alone."""

    later: Later | None = None
    """What the ready function returned last, for others who send this head while it is open. It is
    the connections' and no part of what the head says; closed, nobody uses it any more."""

    @property
    def has_body(self) -> bool:
        """A body follows, though it may turn out empty."""
        return self.is_chunked or self.content_length > 0


MayBeReady = Callable[[str, Callable[[str], str | None]], bool]
"""Tells whether the ready function may be asked about a request; otherwise it is the application's.

It is given the method and a function from a field's lower-case name to its value, None where it is
missing. What it says must follow from these alone: it is asked once about equal heads. So it can
look at fields in which requests differ that shall have one answer.
"""


def understand(
    raw: RawHead,
    options: Options,
    ready_fields: tuple[str, ...],
    may_be_ready: MayBeReady | None = None,
    own_field: str = "",
) -> RequestHead:
    """Return what a head means.

    Args:
        raw: the head as it was read.
        options: the methods that reach the application.
        ready_fields: the lower-case names of the fields that the ready function asks for.
        may_be_ready: what keeps a request from the ready function, beside `UNUSUAL` fields.
        own_field: the lower-case name of the field that is each request's own.

    Raises:
        Refusal: it is ambiguous or invalid (400), has a method that nobody serves (405, 501),
            an expectation that cannot be met (417) or a coding that is not read here (501).
    """
    fields: dict[str, str] = {}
    repeated: set[str] = set()
    for name, value in raw.fields:
        key = name.lower()
        if key in fields:
            repeated.add(key)
            fields[key] += f", {value}"  # RFC 9110, section 5.3.
        else:
            fields[key] = value
    if not repeated.isdisjoint(_SINGLE):
        raise bad_request("A field that may stand only once is repeated.")
    _check_method(raw.method, options)
    host = read_host(raw.version, fields.get("host"))
    target, sent_fields = raw.target, raw.fields
    if not target.startswith("/"):
        authority, target = read_target(raw.method, target, host)
        if host is None and authority is not None:
            sent_fields = (*raw.fields, ("Host", authority))
    if "#" in target:
        raise bad_request("A request target has no fragment.")
    content_length, is_chunked = _body_length(raw.version, fields)
    connection = list_members(fields["connection"]) if "connection" in fields else ()
    keep_alive = _keep_alive(raw.version, connection)
    ready_request = None
    if (
        raw.version == "HTTP/1.1"
        and _may_be_ready(raw.method, fields, content_length, options)
        and (may_be_ready is None or may_be_ready(raw.method, fields.get))
    ):
        ready_request = ReadyRequest(raw.method, target, tuple(map(fields.get, ready_fields)))
    return RequestHead(
        start_line=RequestStartLine(raw.method, target, raw.version),
        fields=sent_fields,
        keep_alive=keep_alive,
        content_length=content_length,
        is_chunked=is_chunked,
        expects_continue=_expects_continue(raw.version, fields.get("expect")),
        has_repeated_fields=bool(repeated),
        ready_request=ready_request,
        takes_whole_answer=raw.method != "HEAD" and keep_alive,
        forwarded=(fields.get("x-forwarded-for"), fields.get("x-forwarded-proto")),
        own=fields.get(own_field),
    )


def forwarded_of(fields: Fields) -> Forwarded:
    """Return what proxies have said, of a head that could be read but was refused."""
    addresses, schemes = (
        ", ".join(value for name, value in fields if name.lower() == wanted)
        for wanted in ("x-forwarded-for", "x-forwarded-proto")
    )
    return addresses, schemes


def _may_be_ready(
    method: str, fields: dict[str, str], content_length: int, options: Options
) -> bool:
    unusual = UNUSUAL.intersection(fields)
    if method == "POST":
        limit = min(options.ready_body_bytes, options.max_body_bytes)
        return unusual <= _OF_A_BODY and 0 < content_length <= limit
    return method in ("GET", "HEAD") and not unusual


def _check_method(method: str, options: Options) -> None:
    if method in options.methods:
        return
    # RFC 9110, sections 9.3.6 and 9.3.8: a tunnel is no business of an origin server's, and TRACE
    # shows scripts what they may not see. What follows CONNECT would not be HTTP (hypercorn #277).
    if method in ("CONNECT", "TRACE"):
        allow = ("Allow", ", ".join(sorted(options.methods)))
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{method} is not served.", (allow,))
    raise Refusal(HTTPStatus.NOT_IMPLEMENTED, "This method is not known here.")


def _body_length(version: str, fields: dict[str, str]) -> tuple[int, bool]:
    """Return the Content-Length, or 0, and whether the body is chunked (RFC 9112, section 6)."""
    length, coding = fields.get("content-length"), fields.get("transfer-encoding")
    if coding is not None:
        # Both lengths at once is the classic of request smuggling, an empty coding included.
        if length is not None or version == "HTTP/1.0":
            raise bad_request("A request has one length: Content-Length or Transfer-Encoding.")
        if coding.lower() != "chunked":
            _refuse_coding(coding)
        return 0, True
    if length is None:
        return 0, False
    # int() alone would take "+5", "5_0" and other scripts' digits (Tornado, GHSA-qppv-j76h-2rpx).
    if _DIGITS.fullmatch(length) is None:
        raise bad_request("The Content-Length is malformed.")
    digits = length.lstrip("0")
    return (int(digits or "0") if len(digits) <= _DIGITS_THAT_FIT else sys.maxsize), False


def _refuse_coding(coding: str) -> None:
    if _ASCII_LIST.fullmatch(coding) is None:
        raise bad_request("The Transfer-Encoding is malformed.")
    # RFC 9112, section 6.1.
    raise Refusal(HTTPStatus.NOT_IMPLEMENTED, "The only transfer coding known here is chunked.")


def _expects_continue(version: str, value: str | None) -> bool:
    # RFC 9110, section 10.1.1: ignored in HTTP/1.0.
    if value is None or version == "HTTP/1.0":
        return False
    if value.lower() != "100-continue":
        raise Refusal(HTTPStatus.EXPECTATION_FAILED, "The only expectation known is 100-continue.")
    return True


def list_members(value: str) -> Collection[str]:
    """Return the members of a list in lower case (RFC 9110, section 5.6.1)."""
    # Members are compared one by one: "close, x" closes too, "close\t" as well (llhttp #866).
    return {member.strip(" \t").lower() for member in value.split(",")}


def _keep_alive(version: str, connection: Collection[str]) -> bool:
    # RFC 9112, section 9.3.
    if "close" in connection:
        return False
    return version == "HTTP/1.1" or "keep-alive" in connection
