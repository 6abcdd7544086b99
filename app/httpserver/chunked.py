"""Decodes a chunked body (RFC 9112, section 7.1). No I/O."""

import re
from enum import Enum
from http import HTTPStatus

from app.httpserver.head import read_trailer
from app.httpserver.options import Options
from app.httpserver.refusal import Refusal, bad_request, content_too_large

# Extensions are ignored, as section 7.1.1 asks, but not unread: what another server would end
# elsewhere is refused (aiohttp, CVE-2024-52304). Possessive, so that none can make it backtrack.
# 16 digits hold any size; more are only there to cost.
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"'
_EXTENSION = rb"[ \t]*+;[ \t]*+%b(?:[ \t]*+=[ \t]*+(?:%b|%b))?+" % (_TOKEN, _TOKEN, _QUOTED)
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:%b)*+\r\n" % _EXTENSION)
_MAX_SIZE_LINE_BYTES = 1024
_FREE_OVERHEAD_BYTES = 16384
_CRLF = b"\r\n"


class _Part(Enum):
    SIZE = "size"
    DATA = "data"
    DATA_END = "data end"
    TRAILERS = "trailers"


class ChunkedDecoder:
    """Takes a chunked body apart; ``is_complete`` tells when its last byte has been read."""

    __slots__ = (
        "_body_bytes", "_left", "_options", "_overhead_bytes", "_part", "_trailers",
        "_trailers_bytes", "is_complete",
    )  # fmt: skip

    def __init__(self, options: Options) -> None:
        self.is_complete = False
        self._options = options
        self._part = _Part.SIZE
        self._left = 0  # Bytes of the current chunk that have not been read.
        self._body_bytes = 0
        self._overhead_bytes = 0
        self._trailers = 0
        self._trailers_bytes = 0

    def decode(self, held: bytearray, *, at_most: int, max_body_bytes: int) -> bytes:
        """Take what can be read off the front of ``held`` and return the body's bytes in it.

        Args:
            held: input; what was understood is deleted.
            at_most: bytes to return; call again while ``held`` shrinks.
            max_body_bytes: the limit for the whole body.

        Raises:
            Refusal: the body is malformed (400), above its limit (413), has too many trailers
                (431) or is mostly framing (400).
        """
        data = bytearray()
        while held and len(data) < at_most and not self.is_complete:
            if self._part is _Part.DATA:
                piece = held[: min(self._left, at_most - len(data))]
                del held[: len(piece)]
                data += piece
                self._left -= len(piece)
                if not self._left:
                    self._part = _Part.DATA_END
            elif self._part is _Part.DATA_END:
                if not self._skip_data_end(held):
                    break
            else:
                line = self._take_line(held)
                if line is None:
                    break
                if self._part is _Part.SIZE:
                    self._read_size(line, max_body_bytes)
                else:
                    self._read_trailer(line)
        return bytes(data)

    def _skip_data_end(self, held: bytearray) -> bool:
        # Both bytes are looked at: h11 once skipped them unread (CVE-2025-43859).
        if not _CRLF.startswith(held[:2]):
            raise bad_request("A chunk is longer than its size.")
        if len(held) < len(_CRLF):
            return False
        del held[:2]
        self._part = _Part.SIZE
        return True

    def _take_line(self, held: bytearray) -> bytes | None:
        in_trailers = self._part is _Part.TRAILERS
        limit = self._options.max_trailers_bytes if in_trailers else _MAX_SIZE_LINE_BYTES
        end = held.find(b"\n", 0, limit) + 1
        if not end:
            if len(held) >= limit:
                raise (
                    self._trailers_too_large()
                    if in_trailers
                    else bad_request("A line is too long.")
                )
            return None
        line = bytes(held[:end])
        del held[:end]
        return line

    def _read_size(self, line: bytes, max_body_bytes: int) -> None:
        found = _SIZE_LINE.fullmatch(line)
        if found is None:
            raise bad_request("The size of a chunk is malformed.")
        self._left = int(found[1], 16)
        self._body_bytes += self._left
        if self._body_bytes > max_body_bytes:
            raise content_too_large(max_body_bytes)
        # Framing costs us more than data does: tiny chunks (aiohttp, CVE-2025-69229) and long
        # extensions (Node, CVE-2024-22019) are paid for by the bytes that they carry.
        self._overhead_bytes += len(line) + len(_CRLF)
        if self._overhead_bytes > _FREE_OVERHEAD_BYTES + 2 * self._body_bytes:
            raise bad_request("The body consists of too many small chunks.")
        self._part = _Part.DATA if self._left else _Part.TRAILERS

    def _read_trailer(self, line: bytes) -> None:
        if line == _CRLF:
            self.is_complete = True
            return
        read_trailer(line)
        self._trailers += 1
        self._trailers_bytes += len(line)
        if (
            self._trailers > self._options.max_trailers
            or self._trailers_bytes > self._options.max_trailers_bytes
        ):
            raise self._trailers_too_large()

    def _trailers_too_large(self) -> Refusal:
        return Refusal(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"There are more than {self._options.max_trailers} trailer fields, "
            f"or they have more than {self._options.max_trailers_bytes} bytes.",
        )
