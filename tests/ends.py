"""How a connection may end behind an answer: not without a word (RFC 9112, section 9.6).

A client that was not told sends its next request into a connection that is gone; a proxy that was
not told loses somebody else's. Not meant are ends that follow no answer: of what is idle for too
long or when the server drains, of who reads or sends too slowly, of a request that was cut off, and
of a client that has closed its own side.
"""

import asyncio
import re
import socket
from contextlib import suppress

_TURNS = 20
_FINAL_HEAD = re.compile(rb"HTTP/1\.1 [2-5][0-9]{2} [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
_CLOSE = re.compile(rb"(?im)^connection: close\r$")


def check_end(received: bytes) -> None:
    """Fail if the last answer in all that a server sent until it closed does not say so."""
    heads = _FINAL_HEAD.findall(received)
    assert not heads or _CLOSE.search(heads[-1]), f"closed without a word after {heads[-1]!r}"


async def check_goes_on(reader: asyncio.StreamReader) -> None:
    """Fail if a server on this loop closes behind an answer that did not say so.

    It would do so in the turn in which it answers, or in one of the next.
    """
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    assert not reader.at_eof(), "closed without a word"


def check_is_open(connection: socket.socket) -> None:
    """Fail if the end of a connection that was to go on has come already."""
    connection.setblocking(False)
    with suppress(BlockingIOError):  # Nothing has come.
        assert connection.recv(1, socket.MSG_PEEK) != b"", "closed without a word"
