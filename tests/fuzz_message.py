"""Looks at a message for the rules of the fuzzer: lenient about ends, so that it can see errors."""

import re
from functools import cached_property

_HEAD_END = re.compile(rb"\n\r?\n")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/([0-9]\.[0-9])\r")
_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r")
_SIZE = re.compile(rb"[ \t]*[+-]?(?:0x)?([0-9A-Fa-f]+)")
_WORD = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TEXT = rb'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*"'
_GOOD_SIZE_LINE = re.compile(
    rb"[0-9A-Fa-f]{1,16}(?:[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?)*\r\n" % (_WORD, _WORD, _TEXT)
)
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")

CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
LONE_CR = re.compile(rb"\r[^\n]", re.DOTALL)
LONE_LF = re.compile(rb"(?:^|[^\r])\n", re.DOTALL)


class MessageView:
    """The bytes from the start of a message to the end of the stream."""

    def __init__(self, data: bytes) -> None:
        # RFC 9112, section 2.2: one empty line before a request is ignored.
        self.data = data.removeprefix(b"\r\n")
        end = _HEAD_END.search(self.data)
        self.has_whole_head = end is not None
        self.head = self.data[: end.end()] if end else self.data
        self.rest = self.data[len(self.head) :]

    @cached_property
    def lines(self) -> list[bytes]:
        """The complete lines of the head without their LF, the empty one at its end left out."""
        lines = self.head.split(b"\n")[:-1]
        return lines[:-1] if self.has_whole_head else lines

    @cached_property
    def request_line(self) -> tuple[bytes, bytes, bytes] | None:
        """Method, target and version, where the request line is well formed."""
        found = _REQUEST_LINE.fullmatch(self.lines[0]) if self.lines else None
        return (found[1], found[2], found[3]) if found else None

    @cached_property
    def malformed_lines(self) -> list[bytes]:
        """The complete lines of the head that are none by RFC 9112."""
        wrong = [line for line in self.lines[1:] if not _FIELD.fullmatch(line)]
        return wrong if self.request_line or not self.lines else [self.lines[0], *wrong]

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a field, without the blanks around them."""
        pairs = [line.split(b":", 1) for line in self.lines[1:] if b":" in line]
        return [pair[1].strip(b" \t\r") for pair in pairs if pair[0].lower() == name]

    @cached_property
    def is_chunked(self) -> bool:
        return [value.lower() for value in self.values(b"transfer-encoding")] == [b"chunked"]

    @cached_property
    def _chunked(self) -> tuple[list[bytes], list[bytes], list[bytes]]:
        sizes: list[bytes] = []
        ends: list[bytes] = []
        place = 0
        while self.is_chunked and place < len(self.rest):
            line = _LINE.match(self.rest, place)
            if line is None:
                break
            sizes.append(line[0])
            size = _SIZE.match(line[0])
            place = line.end()
            if size is None or not line[0].endswith(b"\n"):
                break
            if not int(size[1], 16):
                return sizes, ends, self._trailers(place)
            place += int(size[1], 16)
            ends.append(self.rest[place : place + 2])
            if ends[-1] != b"\r\n":
                break
            place += 2
        return sizes, ends, []

    def _trailers(self, place: int) -> list[bytes]:
        lines: list[bytes] = []
        while (line := _LINE.match(self.rest, place)) and b"\r\n" not in lines:
            lines.append(line[0])
            place = line.end()
        return lines

    @property
    def size_lines(self) -> list[bytes]:
        """The lines with the sizes of chunks; the last one may lack its LF."""
        return self._chunked[0]

    @property
    def chunk_ends(self) -> list[bytes]:
        """The two bytes after each chunk's data, or what is there of them."""
        return self._chunked[1]

    @property
    def trailer_lines(self) -> list[bytes]:
        """The lines of the trailer section, up to and with the empty one."""
        return self._chunked[2]

    @property
    def has_malformed_size(self) -> bool:
        """A size line is none by the grammar that we read, or is too long."""
        return any(
            len(line) >= 1024 or (line.endswith(b"\n") and not _GOOD_SIZE_LINE.fullmatch(line))
            for line in self.size_lines
        )

    @property
    def has_malformed_trailer(self) -> bool:
        """A complete line of the trailer section is none by RFC 9112."""
        return any(
            line.endswith(b"\n") and line != b"\r\n" and not _FIELD.fullmatch(line[:-1])
            for line in self.trailer_lines
        )
