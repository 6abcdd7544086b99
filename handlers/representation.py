"""What a GET answers with: the same for everybody who asks, but for the conditions on it."""

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

import msgspec
from msgspec import Raw, Struct

from handlers.conditions import parse_tags
from handlers.operation import JSON
from handlers.problems import RequestProblem

ALWAYS: Mapping[str, str] = MappingProxyType({
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
})  # fmt: skip
"""What every answer carries, unless it says otherwise."""

Fields = tuple[tuple[str, str], ...]


class Representation(Struct, frozen=True, array_like=True):
    """A resource as it is at some time (RFC 9110, section 3.2), in JSON."""

    body: bytes
    tag: str
    """The strong entity tag; empty where there is no such resource."""
    fields: Fields = ()
    """Header fields of its own, such as Link."""

    @property
    def is_missing(self) -> bool:
        """There is no such resource."""
        return not self.tag

    def heed(self, conditions: Mapping[str, str]) -> HTTPStatus:
        """Return the status of the answer to a GET with these header fields: 200 or 304.

        RFC 9110, section 13.2.2: If-Match first, then If-None-Match.

        Raises:
            RequestProblem: a condition is malformed, or If-Match is not met.
        """
        match = parse_tags(conditions, "If-Match")
        if match is not None and not match.match_strongly(self.tag):
            raise RequestProblem(
                "precondition-failed", f"It is at {self.tag} now.", headers={"ETag": self.tag}
            )
        none_match = parse_tags(conditions, "If-None-Match")
        is_known = none_match is not None and none_match.match_weakly(self.tag)
        return HTTPStatus.NOT_MODIFIED if is_known else HTTPStatus.OK

    def fields_of(self, status: HTTPStatus) -> Fields:
        """Return the header fields of an answer with status 200 or 304, in their order."""
        fields = (*self.fields, ("ETag", self.tag))
        return fields if status is HTTPStatus.NOT_MODIFIED else (*fields, ("Content-Type", JSON))

    def weigh(self) -> int:
        """Return how many bytes it takes, more or less."""
        return len(self.body) + sum(len(name) + len(value) for name, value in self.fields)


MISSING = Representation(b"", "")
"""Stands for a resource that is not there, so that this can be kept as well."""

CACHE_CONTROL = ("Cache-Control", "private, no-cache")
"""Of every representation: who keeps one asks whether it is current before using it again."""

encode_representation = msgspec.msgpack.Encoder().encode
decode_representation = msgspec.msgpack.Decoder(Representation).decode


def represent(body: Struct | Raw, *, tag: str | None = None, fields: Fields = ()) -> Representation:
    """Return the representation of what is rendered as JSON.

    Args:
        body: what is rendered.
        tag: the strong entity tag; made from the JSON where there is none.
        fields: header fields of its own.
    """
    content = msgspec.json.encode(body)
    if tag is None:
        tag = f'"{hashlib.blake2b(content, digest_size=9).hexdigest()}"'
    return Representation(content, tag, fields)
