"""Answers what is kept ready without a RequestHandler; the server asks here first."""

import asyncio
from asyncio import Future
from collections import OrderedDict
from collections.abc import Awaitable
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import NamedTuple

from app.httpserver import Answer, Context, ReadyRequest
from app.metrics import Metrics
from app.services.freshness import Reader, Source
from handlers.problems import RequestProblem
from handlers.recording import record_request
from handlers.representation import ALWAYS, CACHE_CONTROL, Representation
from handlers.request_ids import request_id

MOST_TARGETS = 4096
LONGEST_TARGET = 512
"""Together they bound what clients can make this process remember: some 4 MiB."""

_ID = "*"
_ID_FIELD = "X-Request-Id"


class Known(NamedTuple):
    """What a target that was asked for before means; that never changes."""

    route: str
    source: Source[Representation]


class Shortcut:
    """Answers requests for targets that a handler has answered before.

    The ordinary road does everything else: what is asked for the first time, what is missing and
    what fails. Both send the same bytes, but for Date and the request's id.
    """

    fields = ("x-request-id", "if-none-match")
    """The header fields that answers depend on; of the others none changes what is sent."""

    def __init__(self, reader: Reader[Representation], metrics: Metrics) -> None:
        self._reader = reader
        self._metrics = metrics
        self._known: OrderedDict[str, Known] = OrderedDict()

    def remember(self, target: str, route: str, source: Source[Representation]) -> None:
        """Take the shortcut from now on where this target is asked for."""
        if len(target) <= LONGEST_TARGET and target not in self._known:
            self._known[target] = Known(route, source)
            if len(self._known) > MOST_TARGETS:
                self._known.popitem(last=False)

    def __call__(self, request: ReadyRequest, context: Context) -> Awaitable[Answer | None] | None:
        """Return the answer when its freshness is proved; see `app.httpserver.Ready`."""
        known = self._known.get(request.target)
        if known is None:
            return None
        self._known.move_to_end(request.target)
        answer: Future[Answer | None] = asyncio.get_running_loop().create_future()
        visit = _Visit(request, context, known, perf_counter(), answer)
        proof = self._reader.prove(known.source.scope)
        proof.add_done_callback(partial(self._proved, visit))
        return answer

    def _proved(self, visit: "_Visit", proof: "Future[str | None]") -> None:
        stamp = proof.result()
        kept = self._reader.recall(visit.known.source, stamp)
        if kept is not None:
            self._answer(visit, kept)
            return
        reading = asyncio.ensure_future(self._reader.read_on(visit.known.source, stamp))
        reading.add_done_callback(partial(self._have_read, visit))

    def _have_read(self, visit: "_Visit", reading: "Future[Representation]") -> None:
        if reading.cancelled() or reading.exception() is not None:
            visit.send(None)  # The ordinary road tries again, and says what is wrong.
        else:
            self._answer(visit, reading.result())

    def _answer(self, visit: "_Visit", kept: Representation) -> None:
        asked_id, none_match = visit.request.values
        status = HTTPStatus.OK
        if none_match is not None:
            try:
                status = kept.heed({"If-None-Match": none_match})
            except RequestProblem:
                visit.send(None)
                return
        if kept.is_missing:
            visit.send(None)
            return
        before, after = _head(kept, status)
        the_id = request_id(asked_id)
        body = kept.body if status is HTTPStatus.OK else b""
        visit.send(Answer(before + the_id.encode() + after, body))
        record_request(
            self._metrics,
            method=visit.request.method,
            route=visit.known.route,
            path=visit.request.target.partition("?")[0],
            status=status,
            seconds=perf_counter() - visit.started,
            scheme=visit.context.protocol,
            client_address=visit.context.remote_ip,
            request_id=the_id,
        )


class _Visit(NamedTuple):
    request: ReadyRequest
    context: Context
    known: Known
    started: float
    answer: "Future[Answer | None]"

    def send(self, answer: Answer | None) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


def _head(kept: Representation, status: HTTPStatus) -> tuple[bytes, bytes]:
    """Return the head of an answer, before and after the request's id."""
    fields = (
        (_ID_FIELD, _ID),
        *{**ALWAYS, CACHE_CONTROL[0]: CACHE_CONTROL[1]}.items(),
        *kept.fields_of(status),
    )
    body = kept.body if status is HTTPStatus.OK else b""
    before, mark, after = Answer.build(status, fields, body).head.partition(f": {_ID}\r\n".encode())
    return before + mark[:2], after and mark[-2:] + after
