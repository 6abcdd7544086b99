"""Turns the head of a response into bytes. No I/O."""

from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
CONNECTION_CLOSE = b"Connection: close\r\n"
CONNECTION_KEEP_ALIVE = b"Connection: Keep-Alive\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def encode_head(status: int, reason: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """Return a status line and header fields, each with its line end.

    Raises:
        ValueError: a name, a value or the reason holds a CR or LF, by which a client could be shown
            a response of somebody else's making (uvicorn, CVE-2020-7695; Tornado, CVE-2025-67724),
            or a character outside of latin-1.
    """
    lines = [f"HTTP/1.1 {status} {reason}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in fields]
    text = "".join(lines)
    if text.count("\n") != len(lines) or text.count("\r") != len(lines):
        raise ValueError("a response head may not hold CR or LF")
    return text.encode("latin-1")


def encode_chunk(data: bytes) -> bytes:
    """Return a chunk of a chunked body (RFC 9112, section 7.1); ``data`` must not be empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def encode_date(seconds: float) -> bytes:
    """Return the Date field of a time in seconds since the epoch (RFC 9110, section 6.6.1)."""
    return f"Date: {formatdate(seconds, usegmt=True)}\r\n".encode()


def allows_body(method: str, status: int) -> bool:
    """Tell whether a response may have a body (RFC 9110, section 6.4.1)."""
    return (
        method != "HEAD"
        and status >= HTTPStatus.OK
        and status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    )
