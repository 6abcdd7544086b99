"""Makes streams of requests for the fuzzer: well-formed, slightly wrong, and broken at random."""

from collections.abc import Callable, Sequence
from random import Random

MAX_STREAM_BYTES = 60_000
"""A stream fits the buffer of a socket pair, so that Tornado can be given it whole."""

_METHODS = [b"GET", b"GET", b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH"]
_ODD_METHODS = [b"CONNECT", b"TRACE", b"get", b"PRI", b"-bl", b"bla:rgh", b"G\x00T", b"BREW", b""]
_TARGETS = [b"/", b"/", b"/a/b?c=d", b"/%00", b"//evil", b"/@evil", b"/..%2f", b"/a;b=c&d=%C3%A9"]
_ODD_TARGETS = [
    *(
        b"*",
        b"!",
        b"foo/bar",
        b"a.com:443",
        b"http://a/",
        b"http://a",
        b"http://a?b",
        b"HTTP://A/x",
    ),
    *(
        b"http://evil/",
        b"http://u@a/",
        b"https://a:443/",
        b"http://a:80/",
        b"ftp://a/",
        b"/#fragment",
        b"/\x7f",
    ),
    *(b"/\xff", b"/a b", b"", b"/\x00", b"/\r", b"/\t", b"/" + b"x" * 8180, b"/" + b"x" * 8170),
]
_ODD_VERSIONS = [
    *(b"HTTP/2.0", b"HTTP/1.2", b"HTTP/0.9", b"HTTP/1.32", b"HTTP/111", b"http/1.1", b"HTTP/1.1 "),
    *(b"RTSP/1.0", b"ICE/1.0", b"HTTP/1,1", b"HTTP/1.", b"", b"HTTP/3.0", b"HTTP/0.0", b"HTTP/9.9"),
]
_FIELDS = [
    *(b"X: y", b"Accept: */*", b"Cookie: a=b; c=d", b"X:", b"X: \xff\x80", b"User-Agent:\tz\t"),
    *(b"Connection: keep-alive", b"Expect: 100-continue", b"X-Empty:  ", b"x: Y  ", b"X:y:z"),
    *(b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"Content-Type: text/plain"),
    *(b"Transfer_Encoding: chunked", b"Content_Length: 5", b"Content-Encoding: gzip", b"TE: gzip"),
    *(b"Connection: TE", b"Content-Length: 0", b"!#$%&'*+-.^_`|~: x", b"Trailer: X"),
]
_CLOSING = [
    *(b"Connection: close", b"connection: CLOSE", b"Connection: close\t", b"Connection: close, x"),
    *(
        b"Connection: keep-alive, close",
        b"Connection:close\r\nConnection: x",
        b"Connection: ,close",
    ),
]
_ODD_FIELDS = [
    *(b"Host: a", b"Host: b", b"Host:", b"Host: a, b", b"Host: a/?", b"Host: a@b", b"Host: a b"),
    *(b"Host: " + b"a" * 300, b"Host: [::1]:80", b"Host: a:999999", b"Host: \xe4", b"Host: a:x"),
    *(b"Content-Length : 5", b"Content-Length\t: 5", b" Content-Length: 1", b"\tX: y", b":"),
    b": x",
    *(b"NoColon", b"Content-Length 10", b"X\x00: y", b"X\x85: y", b'"(),/: x', b"X: a\x00b"),
    *(b"X: \x07", b"X: \x7f", b"X: a\rb", b"X: a\nb", b"Foo: 1\rBar: 2", b"Long: one\r\n two"),
    *(b"Transfer-Encoding:\r\n chunked", b"Content-Length:\r\n 5", b"X: y\r", b"\rX: y", b"X: y\n"),
    *(b"Content-Length: " + value for value in [
        *(b"+5", b"-1", b"-0", b"0x5", b"5_0", b"5.0", b"5 0", b"1e3", b'""', b"", b"bla", b"5, 5"),
        *(b"5, 6", b"9" * 25, b"0" * 30 + b"5", b"1048576", b"1048577", b"5,", b"\xd9\xa5", b"05"),
        *(b"5\x0b", b"\xa05", b"5;", b"5\t", b"999999999999999999999", b"00"),
    ]),
    *(b"Transfer-Encoding: " + value for value in [
        *(b"chunked", b"xchunked", b"chunked123", b"identity", b"gzip", b"gzip, chunked"),
        b"Chunked",
        *(b"chunked, chunked", b",chunked", b'"chunked"', b"chunked;q=1", b"\x0bchunked", b""),
        *(b"\xa0chunked", b"\xffchunked", b"chunked\x85", b"chunked\t", b"\tchunked", b"chunked,"),
    ]),
    *(b"Expect: x", b"Expect: y 100-continue", b"Expect:", b"Expect: 100-Continue", b"Upgrade: x"),
    *(b"X: " + b"y" * 8190, b"X: " + b"y" * 8180, b"A: " + b"b" * 6000),
    b"\r\n".join([b"X: y"] * 50),
]  # fmt: skip
_SIZES = [b"%x", b"%X", b"0%x", b"%x;a=b", b'%x;a="b c"', b"%x;", b"000000000%x", b"%x;\xff"]
_ODD_SIZES = [
    *(b"0x%x", b"+%x", b"-%x", b"%x_0", b" %x", b"%x ", b"", b"g", b"FFFFFFFFFFFFFFFFF", b"%x\t"),
    *(b"%x;a\nb", b"%x;a\rb", b"%x\r;ABCD", b"%x ;x", b"%x;" + b"e" * 80, b"%x;" + b"e" * 1100),
    *(b"0" * 16 + b"%x", b"0" * 30 + b"%x", b"%x\x00", b"%x;a\x00", b"100001", b"%x,", b"%x\x0b"),
]
_TRAILERS = [
    b"X: y",
    b"Content-Length: 99",
    b"Host: evil",
    b"Authorization: x",
    b"X:",
    b"A-B: \xff",
]
_ODD_TRAILERS = [
    *(b"Transfer-Encoding: gzip", b"X:POST / HTTP/1.1", b"XX", b" fold: x", b"X: a\nb", b"X : y"),
    *(b"X: \x00", b"Content-Length: x", b": y", b"X: " + b"y" * 4100, b"\r\n".join([b"X: y"] * 17)),
]
_LINE_ENDS = [b"\n", b"\r", b"\r\r\n", b"\n\r", b" \r\n", b"\r\n ", b"\r\n\r\n", b"\x00\r\n", b""]
_BETWEEN = [b"\r\n", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"x", b"\x00", b"0\r\n\r\n"]
_BYTES = [*b"\r\n\t :;,0159afAF+-_/#*?%@\x00\x07\x0b\x0c\x1c\x7f\x80\x85\xa0\xff"]


class Maker:
    """Makes streams from one source of randomness: the same seed makes the same streams."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def stream(self) -> bytes:
        """Return one to four requests; most of them right, most streams wrong somewhere."""
        oddness = self._random.choice([0.0, 0.02, 0.05, 0.15])
        messages = []
        for _ in range(self._random.choice([1, 1, 2, 2, 3, 4])):
            messages.append(self._message(oddness))
            if self._is(oddness):
                messages.append(self._random.choice(_BETWEEN))
        stream = b"".join(messages)
        for _ in range(self._random.choice([0, 0, 0, 1, 1, 2, 5])):
            stream = self._random.choice(_MUTATIONS)(self._random, stream)
        return stream[:MAX_STREAM_BYTES]

    def cuts(self, size: int) -> list[int]:
        """Return places to split a stream of a size at: few, or every byte of a part of it."""
        if self._is(0.2):
            start = self._random.randrange(size + 1)
            return list(range(start, min(size, start + 64)))
        return [self._random.randrange(size + 1) for _ in range(self._random.choice([1, 2, 3, 8]))]

    def _is(self, chance: float) -> bool:
        return self._random.random() < chance

    def _one(self, usual: Sequence[bytes], odd: Sequence[bytes], oddness: float) -> bytes:
        return self._random.choice(odd if self._is(oddness) else usual)

    def _message(self, oddness: float) -> bytes:
        method = self._one(_METHODS, _ODD_METHODS, oddness)
        target = self._one(_TARGETS, _ODD_TARGETS, oddness * 2)
        usual = [b"HTTP/1.0"] if self._is(0.08) else [b"HTTP/1.1"]
        version = self._one(usual, _ODD_VERSIONS, oddness)
        fields = [] if self._is(oddness) else [b"Host: a"]
        fields += self._random.choices(_FIELDS, k=self._random.choice([0, 0, 1, 2, 4]))
        if self._is(0.06):
            fields.append(self._random.choice(_CLOSING))
        while self._is(oddness * 2):
            fields.append(self._random.choice(_ODD_FIELDS))
        body = b""
        kind = self._random.choice(["none", "none", "length", "chunked"])
        if kind == "length":
            body = self._data()
            fields.append(b"Content-Length: %d" % len(body))
        elif kind == "chunked":
            body = self._chunks(oddness)
            fields.append(b"Transfer-Encoding: chunked")
        self._random.shuffle(fields)
        separator = self._one([b" "], [b"  ", b"\t", b"\n", b""], oddness / 4)
        lines = [separator.join([method, target, version]), *fields, b""]
        return b"".join(line + self._line_end(oddness) for line in lines) + body

    def _line_end(self, oddness: float) -> bytes:
        return self._one([b"\r\n"], _LINE_ENDS, oddness / 8)

    def _data(self) -> bytes:
        if self._is(0.1):
            return b"GET /smuggled HTTP/1.1\r\nHost: evil\r\n\r\n"
        return self._random.randbytes(self._random.choice([0, 1, 2, 5, 5, 40, 300]))

    def _chunks(self, oddness: float) -> bytes:
        parts = []
        for _ in range(self._random.choice([0, 1, 1, 2, 5])):
            data = self._data() or b"x"
            size = self._one([b"%x"], _SIZES, 0.2) if self._is(0.8) else b"%x"
            size = self._one([size], _ODD_SIZES, oddness)
            parts += [size.replace(b"%x", b"%x" % len(data)), self._line_end(oddness), data]
            parts.append(self._line_end(oddness))
        parts += [self._one([b"0"], [b"00", b"0;a", b"", b"0 ", b"-0"], oddness)]
        parts.append(self._line_end(oddness))
        while self._is(0.1):
            trailer = self._one(_TRAILERS, _ODD_TRAILERS, oddness * 2)
            parts += [trailer, self._line_end(oddness)]
        return b"".join([*parts, self._line_end(oddness)])


def _flip(random: Random, stream: bytes) -> bytes:
    place = random.randrange(len(stream) + 1)
    flipped = bytes(byte ^ 1 << random.randrange(8) for byte in stream[place : place + 1])
    return stream[:place] + flipped + stream[place + 1 :]


def _replace(random: Random, stream: bytes) -> bytes:
    place = random.randrange(len(stream) + 1)
    return stream[:place] + bytes([random.choice(_BYTES)]) + stream[place + 1 :]


def _insert(random: Random, stream: bytes) -> bytes:
    place = random.randrange(len(stream) + 1)
    return stream[:place] + bytes([random.choice(_BYTES)]) + stream[place:]


def _delete(random: Random, stream: bytes) -> bytes:
    place = random.randrange(len(stream) + 1)
    return stream[:place] + stream[place + random.choice([1, 1, 2, 8]) :]


def _truncate(random: Random, stream: bytes) -> bytes:
    return stream[: random.randrange(len(stream) + 1)]


def _repeat_line(random: Random, stream: bytes) -> bytes:
    lines = stream.splitlines(keepends=True) or [b""]
    lines.insert(random.randrange(len(lines) + 1), random.choice(lines))
    return b"".join(lines)


def _swap_lines(random: Random, stream: bytes) -> bytes:
    lines = stream.splitlines(keepends=True) or [b""]
    first, second = random.randrange(len(lines)), random.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def _change_line_end(random: Random, stream: bytes) -> bytes:
    parts = stream.split(b"\r\n")
    place = random.randrange(len(parts))
    end = random.choice(_LINE_ENDS) if place + 1 < len(parts) else b""
    before, after = b"\r\n".join(parts[: place + 1]), b"\r\n".join(parts[place + 1 :])
    return before + end + after


_MUTATIONS: list[Callable[[Random, bytes], bytes]] = [
    *(_flip, _replace, _insert, _insert, _delete, _truncate, _repeat_line, _swap_lines),
    _change_line_end,
]
