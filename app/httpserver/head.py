"""Reads the head of a request: the request line and the header fields. No I/O.

The grammar is that of RFC 9110 and RFC 9112, without the leniency that they permit: line ends are
CRLF, nothing is folded, no space may stand where two parsers could disagree about it. An error is
found at the byte that proves it, so the outcome is the same however the input was split.
"""

import re
from http import HTTPStatus
from typing import NamedTuple

from tornado.httputil import RequestStartLine

from app.httpserver.options import Options
from app.httpserver.refusal import Refusal, bad_request

_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # RFC 9110, section 5.6.2

# RFC 9112, section 3. The target is visible ASCII here; `framing` knows its forms.
_REQUEST_LINE_RULE = rf"({_NAME}) ([!-~]+) (HTTP/[0-9]\.[0-9])\r\n"

# RFC 9112, section 5. Possessive, so that no value can make it backtrack (waitress, CVE-2020-5236).
# Blanks around a value are SP and HTAB alone: str.strip() would take \x85 and \xa0 for blanks too,
# and then "\xa0chunked" for chunked (Tornado, GHSA-753j-mpmx-qq6g).
_VALUE = r"[\t -~\x80-\xff]*+"

_REQUEST_LINE = re.compile(_REQUEST_LINE_RULE)
_FIELD = re.compile(rf"({_NAME}):[ \t]*+({_VALUE})\r\n")
_HEAD = re.compile(rf"{_REQUEST_LINE_RULE}((?:{_NAME}:{_VALUE}\r\n)*+)\r\n")

# What no line may hold. A CR that is not part of a line end is a line end for some parsers
# (llhttp, CVE-2023-30589); the last byte of a match is the one that proves the error.
_ILLEGAL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]")

# RFC 9110, section 2.5: a higher minor version is processed as the highest that is known.
_VERSIONS = {"HTTP/1.0": "HTTP/1.0", **{f"HTTP/1.{minor}": "HTTP/1.1" for minor in range(1, 10)}}

Fields = tuple[tuple[str, str], ...]
"""Header fields in the order of their arrival: names as they were sent, values without blanks."""

Forwarded = tuple[str | None, str | None]
"""X-Forwarded-For and X-Forwarded-Proto, for who believes them."""


class RawHead(NamedTuple):
    """The head of a request, well formed but not yet understood."""

    method: str
    target: str
    version: str
    """HTTP/1.0 or HTTP/1.1."""

    fields: Fields


class HeadReader:
    """Reads one head from a buffer that grows from call to call."""

    __slots__ = ("_checked", "_fields", "_fields_start", "_line_start", "_options", "_request_line")

    def __init__(self, options: Options) -> None:
        self._options = options
        self._line_start = 0
        self._checked = 0  # No byte before this one is illegal.
        self._fields_start = 0
        self._request_line: tuple[str, str, str] | None = None
        self._fields: list[tuple[str, str]] = []

    @property
    def start_line(self) -> RequestStartLine | None:
        """The request line, once it has been read."""
        return self._request_line and RequestStartLine(*self._request_line)

    @property
    def fields(self) -> Fields:
        """The header fields that have been read so far."""
        return tuple(self._fields)

    def fields_behind(self, buffer: bytes | bytearray) -> Fields:
        """Return the valid fields behind the line that was refused, as far as they have come in.

        They say whose request it was. Nothing else may depend on them: it would on the splitting.
        """
        fields = []
        section = bytes(
            buffer[self._line_start : self._line_start + self._options.max_fields_bytes]
        )
        for line in section.split(b"\n", self._options.max_fields)[:-1]:
            if line in (b"\r", b""):
                break
            if (field := _read_line(line + b"\n")) is not None:
                fields.append(field)
        return tuple(fields)

    def read(self, buffer: bytes | bytearray) -> tuple[RawHead, int] | None:
        """Return the head and its length in bytes, or None while it is incomplete.

        Args:
            buffer: everything from the first byte of the head on; what earlier calls have seen
                must still be there.

        Raises:
            Refusal: it is malformed (400), of another version of HTTP (505), or above a limit (414,
                431).
        """
        while True:
            end = buffer.find(b"\n", max(self._checked, self._line_start)) + 1
            if not end:
                self._check_line(buffer, self._line_start, len(buffer))
                # A CR at the end is not judged before the byte that follows it.
                self._checked = max(self._line_start, len(buffer) - 1)
                return None
            start, self._line_start = self._line_start, end
            if self._request_line is None:
                self._read_request_line(buffer, start, end)
            elif end - start == len(b"\r\n") and buffer[start] == ord("\r"):
                return RawHead(*self._request_line, tuple(self._fields)), end
            else:
                self._read_field(buffer, start, end)

    def _read_request_line(self, buffer: bytes | bytearray, start: int, end: int) -> None:
        if start == 0 and buffer[:end] == b"\r\n":
            return  # RFC 9112, section 2.2: one empty line before a request is ignored.
        found = _REQUEST_LINE.fullmatch(buffer[start:end].decode("latin-1"))
        if found is None or end - start - 2 > self._options.max_request_line_bytes:
            self._check_line(buffer, start, end - 1)
            raise bad_request("The request line is malformed.")
        version = _VERSIONS.get(found[3])
        self._request_line = (found[1], found[2], version or found[3])
        if version is None:
            raise Refusal(
                HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "Only HTTP/1.0 and HTTP/1.1 are spoken here."
            )
        self._fields_start = end

    def _read_field(self, buffer: bytes | bytearray, start: int, end: int) -> None:
        field = _read_line(buffer[start:end])
        if field is None or end - start - 2 > self._field_limit(start):
            self._check_line(buffer, start, end - 1)
            raise bad_request("A header field is malformed.")
        if len(self._fields) == self._options.max_fields:
            raise _fields_too_large(f"There are more than {len(self._fields)} header fields.")
        self._fields.append(field)

    def _field_limit(self, start: int) -> int:
        left = self._options.max_fields_bytes - (start - self._fields_start)
        return min(self._options.max_field_bytes, max(0, left - len(b"\r\n")))

    def _check_line(self, buffer: bytes | bytearray, start: int, end: int) -> None:
        """Raise the first error of a line, which is without its LF or not yet complete.

        What is illegal and what is too long is decided by which byte came first: a line that is fed
        byte by byte is refused there, and the same line in one piece must be told the same.
        """
        in_request_line = self._request_line is None
        limit = (
            self._options.max_request_line_bytes if in_request_line else self._field_limit(start)
        )
        length = end - start
        if length and buffer[end - 1] == ord("\r"):
            length -= 1
        found = _ILLEGAL.search(buffer, max(start, self._checked), end)
        if found is not None and found.end() - 1 <= start + limit:
            raise bad_request("A line holds a control character, or a CR that does not end it.")
        if length > limit:
            if in_request_line:
                reason = f"The request line has more than {limit} bytes."
                raise Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, reason)
            options = self._options
            raise _fields_too_large(
                f"A header field has more than {options.max_field_bytes} bytes, "
                f"or all have more than {options.max_fields_bytes}."
            )


def _read_line(line: bytes | bytearray) -> tuple[str, str] | None:
    found = _FIELD.fullmatch(line.decode("latin-1"))
    return None if found is None else (found[1], found[2].rstrip(" \t"))


def read_whole(head: bytes, options: Options) -> RawHead | None:
    """Return a head that is complete and valid; None leaves the others to a `HeadReader`.

    PERF: this takes 0.4 of the time that going line by line takes (docs/decisions/0005).

    Args:
        head: what may be a head; nothing may follow it.
        options: the limits; a head longer than the smallest of them is left to the reader.
    """
    if len(head) > min(options.max_request_line_bytes, options.max_field_bytes):
        return None
    text = head.decode("latin-1")
    found = _HEAD.fullmatch(text)
    if found is None:
        return None
    method, target, sent_version, section = found.groups()
    version = _VERSIONS.get(sent_version)
    if version is None:
        return None
    fields = _FIELD.findall(section)
    if len(fields) > options.max_fields or len(section) > options.max_fields_bytes:
        return None
    if " \r" in section or "\t\r" in section:
        fields = [(name, value.rstrip(" \t")) for name, value in fields]
    return RawHead(method, target, version, tuple(fields))


def _fields_too_large(reason: str) -> Refusal:
    # RFC 6585, section 5.
    return Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason)


def read_trailer(line: bytes) -> None:
    """Check a line of the trailer section; trailers are never merged into the header fields.

    Merged, they would smuggle in what a proxy has removed from the head (RFC 9110, section 6.5.1).

    Raises:
        Refusal: it is malformed (400).
    """
    if _read_line(line) is None:
        raise bad_request("A trailer field is malformed.")
