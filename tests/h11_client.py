"""Reads a server's output as an independent client does: with h11."""

from typing import NamedTuple

import h11


class Received(NamedTuple):
    """A response as h11 reads it; names of fields are lower-case."""

    status: int
    reason: str
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Return the values of a field, in order."""
        return [value for key, value in self.fields if key == name]


def read_responses(output: bytes, methods: list[str], *, has_ended: bool) -> list[Received]:
    """Return the final response to each request; interim ones are skipped.

    Args:
        output: everything the server sent.
        methods: of the requests, which decide whether a body follows.
        has_ended: the server has closed its side, which may be what ends the last body.

    Raises:
        AssertionError: a response is missing or incomplete, or something is left.
        h11.RemoteProtocolError: what was sent is no HTTP.
    """
    found = []
    for number, method in enumerate(methods, 1):
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
        client.send(h11.EndOfMessage())
        client.receive_data(output)
        if has_ended:
            client.receive_data(b"")
        received = _read_response(client)
        assert received is not None, f"response {number} of {len(methods)} is incomplete"
        found.append(received)
        output = client.trailing_data[0]
    assert not output, f"after the last response comes {output[:80]!r}"
    return found


def _read_response(client: h11.Connection) -> Received | None:
    head: h11.Response | None = None
    body = bytearray()
    while True:
        event = client.next_event()
        if isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            break
        elif not isinstance(event, h11.InformationalResponse):
            return None
    assert head is not None
    fields = tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers
    )
    return Received(head.status_code, head.reason.decode("latin-1"), fields, bytes(body))
