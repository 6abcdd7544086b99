"""A name server with a few names, whose addresses a test changes."""

import struct
from collections.abc import Mapping
from socketserver import BaseRequestHandler, UDPServer
from threading import Thread

_HEAD = struct.Struct("!6H")
_RECORD = struct.Struct("!HHHLH4s")
_TYPE_AND_CLASS = 4
_NO_ERROR = 0x8180
_NO_SUCH_NAME = 0x8183
_THE_NAME_ASKED_FOR = 0xC00C
_TIME_TO_LIVE = 600
"""That of Docker's name server."""


class Names:
    """Answers questions for A records on a port of 127.0.0.1 (RFC 1035).

    Args:
        addresses: IPv4 addresses by name; those of other names are not known.
    """

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self.addresses = dict(addresses)
        names = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                query, socket = self.request
                socket.sendto(names.answer(query), self.client_address)

        self._server = UDPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, query: bytes) -> bytes:
        """Return the answer to a query with one question."""
        number = _HEAD.unpack_from(query)[0]
        labels, at = [], _HEAD.size
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode())
            at += 1 + length
        question = query[_HEAD.size : at + 1 + _TYPE_AND_CLASS]
        address = self.addresses.get(".".join(labels))
        if address is None:
            return _HEAD.pack(number, _NO_SUCH_NAME, 1, 0, 0, 0) + question
        packed = bytes(map(int, address.split(".")))
        record = _RECORD.pack(_THE_NAME_ASKED_FOR, 1, 1, _TIME_TO_LIVE, len(packed), packed)
        return _HEAD.pack(number, _NO_ERROR, 1, 1, 0, 0) + question + record
