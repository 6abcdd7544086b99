"""Answers what is kept ready without a RequestHandler; the server asks here first."""

import asyncio
from asyncio import Future
from collections import OrderedDict
from collections.abc import Awaitable
from functools import partial
from time import perf_counter
from typing import NamedTuple

from app.errors import TodoError, TodoNotFound
from app.httpserver import Answer, Context, ReadyRequest
from app.metrics import Metrics
from app.services.freshness import Found, Reader, Source
from handlers.problems import RequestProblem, problem_of
from handlers.recording import record_request
from handlers.representation import OK, Representation, answer_problem
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

    The ordinary road does everything else. Both send the same bytes, but for Date and the id.
    """

    fields = ("x-request-id", "if-none-match")
    """The header fields that answers depend on; of the others none changes what is sent."""

    def __init__(
        self, reader: Reader[Representation], metrics: Metrics, *, retry_after_seconds: int
    ) -> None:
        self._reader = reader
        self._retry_after_seconds = retry_after_seconds
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
        error = None if reading.cancelled() else reading.exception()
        if isinstance(error, TodoError):
            self._answer_problem(visit, error)
        elif error is not None or reading.cancelled():
            visit.send(None)  # A fault of ours: the ordinary road meets it as well, and logs it.
        else:
            self._answer(visit, reading.result().body)

    def _answer(self, visit: "_Visit", kept: Representation) -> None:
        asked_id, none_match = visit.request.values
        if kept.is_missing:
            self._answer_problem(visit, TodoNotFound())
            return
        status = OK
        if none_match is not None:
            try:
                status = kept.heed({"If-None-Match": none_match})
            except RequestProblem as problem:
                self._answer_problem(visit, problem)
                return
        the_id = request_id(asked_id)
        before, after = kept.head_of(status)
        body = kept.body if status is OK else b""
        self._send(
            visit, the_id, status, Answer(b"%b%b%b" % (before, the_id.encode(), after), body)
        )

    def _answer_problem(self, visit: "_Visit", error: Exception) -> None:
        problem = problem_of(error, retry_after_seconds=self._retry_after_seconds)
        the_id = request_id(visit.request.values[0])
        self._send(visit, the_id, problem.status, answer_problem(problem, the_id))

    def _send(self, visit: "_Visit", the_id: str, status: int, answer: Answer) -> None:
        visit.send(answer)
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


class _Visit(NamedTuple):
    request: ReadyRequest
    context: Context
    known: Known
    started: float
    answer: "Future[Answer | None]"

    def send(self, answer: Answer | None) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)
