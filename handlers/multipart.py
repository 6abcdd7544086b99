"""Forms as ``multipart/form-data`` (RFC 7578): what ``curl -F`` and browsers' FormData send."""

import re
from typing import NoReturn

from handlers.media_types import parse_parameterised
from handlers.problems import RequestProblem
from handlers.validation import MAX_FIELDS, refuse_too_many_fields

_MAX_BOUNDARY_CHARACTERS = 70
"""RFC 2046, section 5.1.1."""

_DISPOSITION = re.compile(rb"\r\ncontent-disposition:([^\r\n]*)", re.IGNORECASE)


def parse_multipart(body: bytes, boundary: str | None) -> list[tuple[str, str]]:
    """Return the names and values of a form; the text of a file is a value like any other.

    Bytes that are not UTF-8 stand in them by the error handler ``surrogateescape``.

    Args:
        body: what was sent.
        boundary: the parameter of the media type; None where there was none.

    Raises:
        RequestProblem: 400 for what is no such form, and for too many parts.
    """
    if not boundary or len(boundary) > _MAX_BOUNDARY_CHARACTERS or not boundary.isascii():
        _refuse(f"its boundary must have 1 to {_MAX_BOUNDARY_CHARACTERS} ASCII characters")
    # RFC 2046, section 5.1.1: the line end before a delimiter belongs to it.
    delimiter = rb"\r\n--%b(--)?[ \t]*(?=\r\n|\Z)" % re.escape(boundary.encode())
    _before, *rest = re.split(delimiter, b"\r\n" + body, maxsplit=MAX_FIELDS + 1)
    ends, parts = rest[::2], rest[1::2]
    if b"--" not in ends:
        if len(ends) > MAX_FIELDS:
            refuse_too_many_fields()
        _refuse("its last line must be the boundary between -- and --")
    return [_parse_part(part) for part in parts[: ends.index(b"--")]]


def _parse_part(part: bytes) -> tuple[str, str]:
    # The line end after the delimiter is here, and so ends a head without fields as well.
    head, blank_line, text = part.partition(b"\r\n\r\n")
    disposition = _DISPOSITION.search(head)
    if not blank_line or disposition is None:
        _refuse("a part has no Content-Disposition")
    value = parse_parameterised(_decode(disposition[1]))
    if value is None or value.first != "form-data" or "name" not in value.parameters:
        _refuse('a part has no Content-Disposition such as form-data; name="content"')
    return value.parameters["name"], _decode(text)


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def _refuse(detail: str) -> NoReturn:
    raise RequestProblem("invalid-parameter", f"The multipart form cannot be read: {detail}.")
