"""A client that sends bytes as they are and reads what comes back without forgiving anything."""

import asyncio
from dataclasses import dataclass

from ends import check_end

_SECONDS = 120.0
_INTERIM = 200


@dataclass(frozen=True)
class RawAnswer:
    """A response; ``fields`` have lower-case names, and no Date."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def field(self, name: str) -> str | None:
        """Return the value of a field, or None."""
        return dict(self.fields).get(name)


def read_answers(data: bytes) -> tuple[RawAnswer, ...]:
    """Return the responses that some bytes consist of, interim ones (1xx) included.

    Raises:
        ValueError: there is something else, or a part of a response.
    """
    answers = []
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        start_line, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = start_line.partition(" ")
        if not separator or version != "HTTP/1.1":
            raise ValueError(f"no response: {head[:80]!r}")
        fields = []
        for line in lines:
            name, colon, value = line.partition(": ")
            if not colon:
                raise ValueError(f"no field: {line!r}")
            if name != "Date":
                fields.append((name.lower(), value))
        status = int(rest[:3])
        has_body = status >= _INTERIM and status not in (204, 304)
        length = int(dict(fields)["content-length"]) if has_body else 0
        if length > len(data):
            raise ValueError(f"{length - len(data)} bytes of the body are missing")
        answers.append(RawAnswer(status, tuple(fields), data[:length]))
        data = data[length:]
    return tuple(answers)


async def send(port: int, data: bytes, *, then_eof: bool = False) -> bytes:
    """Send bytes in one write; return everything that comes back until the server closes.

    It must say so before it closes.

    Args:
        port: where the server listens on 127.0.0.1.
        data: what is sent.
        then_eof: close the sending side after it.

    Raises:
        TimeoutError: the server does not close.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        if then_eof:
            writer.write_eof()
        async with asyncio.timeout(_SECONDS):
            received = await reader.read()
    finally:
        writer.transport.abort()
    if not then_eof:
        check_end(received)
    return received
