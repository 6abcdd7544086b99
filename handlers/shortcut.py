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
from app.services.freshness import Found, Reader, Source
from handlers.problems import RequestProblem
from handlers.recording import record_request
from handlers.representation import OK, Representation
from handlers.request_ids import request_id

MOST_TARGETS = 4096
LONGEST_TARGET = 512
"""Together they bound what clients can make this process remember: some 4 MiB."""


class Known(NamedTuple):
    """What a target that was asked for before means; that never changes."""

    route: str
    path: str
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
        self._visits: dict[Future[str | None], list[_Visit]] = {}

    def remember(self, target: str, route: str, source: Source[Representation]) -> None:
        """Take the shortcut from now on where this target is asked for."""
        if len(target) <= LONGEST_TARGET and target not in self._known:
            self._known[target] = Known(route, target.partition("?")[0], source)
            if len(self._known) > MOST_TARGETS:
                self._known.popitem(last=False)

    def __call__(self, request: ReadyRequest, context: Context) -> Awaitable[Answer | None] | None:
        """Return the answer when its freshness is proved; see `app.httpserver.Ready`."""
        known = self._known.get(request.target)
        if known is None:
            return None
        self._known.move_to_end(request.target)
        answer: Future[Answer | None] = asyncio.get_running_loop().create_future()
        proof = self._reader.prove(known.source.scope)
        visits = self._visits.get(proof)
        if visits is None:
            visits = self._visits[proof] = []
            proof.add_done_callback(self._proved)
        visits.append(_Visit(request, context, known, perf_counter(), answer))
        return answer

    def _proved(self, proof: "Future[str | None]") -> None:
        stamp = proof.result()
        for visit in self._visits.pop(proof):
            kept = self._reader.recall(visit.known.source, stamp)
            if kept is not None:
                self._answer(visit, kept)
            else:
                reading = asyncio.ensure_future(self._reader.read_on(visit.known.source, stamp))
                reading.add_done_callback(partial(self._have_read, visit))

    def _have_read(self, visit: "_Visit", reading: "Future[Found[Representation]]") -> None:
        if reading.cancelled() or reading.exception() is not None:
            visit.send(None)  # The ordinary road tries again, and says what is wrong.
        else:
            self._answer(visit, reading.result().body)

    def _answer(self, visit: "_Visit", kept: Representation) -> None:
        status = None if kept.is_missing else _status(kept, visit.request.values[1])
        if status is None:
            visit.send(None)
            return
        the_id = request_id(visit.request.values[0])
        before, after = kept.head_of(status)
        body = kept.body if status is OK else b""
        visit.send(Answer(b"%b%b%b" % (before, the_id.encode(), after), body))
        record_request(
            self._metrics,
            method=visit.request.method,
            route=visit.known.route,
            path=visit.known.path,
            status=status,
            seconds=perf_counter() - visit.started,
            scheme=visit.context.protocol,
            client_address=visit.context.remote_ip,
            request_id=the_id,
        )


def _status(kept: Representation, none_match: str | None) -> HTTPStatus | None:
    if none_match is None:
        return OK
    try:
        return kept.heed({"If-None-Match": none_match})
    except RequestProblem:
        return None


class _Visit(NamedTuple):
    request: ReadyRequest
    context: Context
    known: Known
    started: float
    answer: "Future[Answer | None]"

    def send(self, answer: Answer | None) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)
