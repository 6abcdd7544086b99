"""What a GET answers with: the same for everybody who asks, but for the conditions on it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import NoReturn

import msgspec
from msgspec import Raw, Struct

from app.httpserver import Answer
from handlers.conditions import parse_preconditions
from handlers.operation import JSON
from handlers.problems import PROBLEM_JSON, RequestProblem

# PERF: up to Python 3.11 looking a member up in its class runs Python code.
OK, NOT_MODIFIED = HTTPStatus.OK, HTTPStatus.NOT_MODIFIED

ALWAYS: Mapping[str, str] = MappingProxyType({
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
})  # fmt: skip
"""What every answer carries, unless it says otherwise."""

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Representation:
    """A resource as it is at some time (RFC 9110, section 3.2), in JSON."""

    body: bytes
    tag: str
    """The strong entity tag; empty where there is no such resource."""
    fields: Fields = ()
    """Header fields of its own, such as Link."""
    _answers: dict[int, Answer] = field(default_factory=dict, repr=False)

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
        match, none_match = parse_preconditions(conditions)
        if match is not None and not match.match_strongly(self.tag):
            self._fail()
        is_known = none_match is not None and none_match.match_weakly(self.tag)
        return NOT_MODIFIED if is_known else OK

    def demand(self, conditions: Mapping[str, str]) -> None:
        """Raise unless a change may go on, by the header fields of its request.

        Raises:
            RequestProblem: a condition is malformed or not met.
        """
        if self.heed(conditions) is NOT_MODIFIED:
            self._fail()

    def _fail(self) -> NoReturn:
        raise RequestProblem(
            "precondition-failed", f"It is at {self.tag} now.", headers={"ETag": self.tag}
        )

    def fields_of(self, status: HTTPStatus) -> Fields:
        """Return the header fields of an answer with status 200 or 304, in their order."""
        fields = (*self.fields, ("ETag", self.tag))
        return fields if status is NOT_MODIFIED else (*fields, ("Content-Type", JSON))

    def answer(self, status: HTTPStatus) -> Answer:
        """Return the answer with status 200 or 304; a request's own in its head is its id."""
        # PERF: the hash of an enumeration's member is computed in Python, that of a number is not.
        number = status.value
        answer = self._answers.get(number)
        if answer is None:
            answer = self._answers[number] = self._build_answer(status)
        return answer

    def _build_answer(self, status: HTTPStatus) -> Answer:
        fields = {"X-Request-Id": _ID, **ALWAYS, CACHE_CONTROL[0]: CACHE_CONTROL[1]}
        body = b"" if status is NOT_MODIFIED else self.body
        head = Answer.build(status, (*fields.items(), *self.fields_of(status)), body).head
        before, _, after = head.partition(_ID.encode())
        return Answer(before + after, body, own_at=len(before))

    def weigh(self) -> int:
        """Return how many bytes it takes, more or less, the heads of its answers included."""
        own = sum(len(name) + len(value) for name, value in self.fields)
        return len(self.body) + own + _HEADS_BYTES


MISSING = Representation(b"", "")
"""Stands for a resource that is not there, so that this can be kept as well."""

_ID = "*"
"""Stands in a head where a request's id will be; no field before it has this character."""

_HEADS_BYTES = 800

CACHE_CONTROL = ("Cache-Control", "private, no-cache")
"""Of every representation: who keeps one asks whether it is current before using it again."""


def answer_problem(problem: RequestProblem, the_id: str) -> Answer:
    """Return the answer that says what is wrong with the request of this id."""
    fields = {"X-Request-Id": the_id, **ALWAYS, **problem.headers, "Content-Type": PROBLEM_JSON}
    body = msgspec.json.encode(problem.render(the_id))
    return Answer.build(HTTPStatus(problem.status), fields.items(), body)


_decoder = msgspec.msgpack.Decoder(tuple[bytes, str, Fields])


def encode_representation(representation: Representation) -> bytes:
    """Return a representation as bytes, for other processes."""
    return msgspec.msgpack.encode((representation.body, representation.tag, representation.fields))


def decode_representation(encoded: bytes) -> Representation:
    """Return what `encode_representation` made bytes of."""
    return Representation(*_decoder.decode(encoded))


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
