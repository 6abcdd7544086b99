"""Answers GETs of what is kept without a RequestHandler."""

import asyncio
import logging
from asyncio import CancelledError, Future
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import partial
from time import perf_counter
from typing import NamedTuple

from app.errors import TodoError, TodoNotFound
from app.httpserver import Later, ReadyRequest
from app.metrics import Metrics
from app.services.freshness import Found, Reader, Source
from handlers.problems import RequestProblem, problem_of
from handlers.recording import Answered, record_later
from handlers.representation import OK, Representation, answer_problem
from handlers.request_ids import request_ids

MOST_TARGETS = 16_384
LONGEST_TARGET = 512
"""Together they bound what clients can make this process remember: some 20 MiB. By default as many
pages fit in `cache_bytes`, more or less."""

_log = logging.getLogger(__name__)


class Known(NamedTuple):
    """What a target that was asked for before means; that never changes."""

    route: str
    path: str
    source: Source[Representation]


class Shortcut:
    """Answers requests for targets that a handler has answered before.

    The ordinary road does everything else. Both send the same bytes, but for Date and the id.
    """

    def __init__(
        self, reader: Reader[Representation], metrics: Metrics, *, retry_after_seconds: int
    ) -> None:
        self._reader = reader
        self._retry_after_seconds = retry_after_seconds
        self._metrics = metrics
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._gathering: dict[str, _Visits] = {}

    def remember(self, target: str, route: str, source: Source[Representation]) -> None:
        """Take the shortcut from now on where this target is asked for."""
        if len(target) <= LONGEST_TARGET and target not in self._known:
            self._known[target] = Known(route, target.partition("?")[0], source)
            if len(self._known) > MOST_TARGETS:
                self._known.popitem(last=False)

    def __call__(self, request: ReadyRequest) -> Later | None:
        """Return the answer to come when its freshness is proved; see `app.httpserver.Ready`."""
        known = self._known.get(request.target)
        if known is None:
            return None
        self._known.move_to_end(request.target)
        scope = known.source.scope
        visits = self._gathering.get(scope)
        if visits is None:
            visits = self._gathering[scope] = _Visits(self, scope)
            self._reader.prove(scope, visits)
        return visits.join(request, known)

    def leave(self, scope: str) -> None:
        """Let those who come now gather anew."""
        del self._gathering[scope]

    def hear(self, visits: "Iterable[_Visit]", stamp: str | None) -> None:
        """Answer those who have asked about a scope, now that its stamp is known."""
        for visit in visits:
            try:
                self._serve(visit, stamp)
            except Exception:  # noqa: BLE001 - the others wait for their answers.
                self._give_up(visit)

    def _give_up(self, visit: "_Visit") -> None:
        """Log a fault and let the ordinary road try: it says 500 if it must."""
        _log.exception("fault on the short cut to %s", visit.known.route)
        visit.later.decline()

    def _serve(self, visit: "_Visit", stamp: str | None) -> None:
        source, readers = visit.known.source, visit.later.clients
        kept = self._reader.recall(source, stamp, readers=readers)
        if kept is not None:
            self._answer(visit, kept)
            return
        reading = asyncio.ensure_future(self._reader.read_on(source, stamp, readers=readers))
        reading.add_done_callback(partial(self._have_read, visit))

    def _have_read(self, visit: "_Visit", reading: "Future[Found[Representation]]") -> None:
        try:
            self._answer(visit, reading.result().body)
        except TodoError as error:
            self._answer_problem(visit, error)
        except (Exception, CancelledError):  # noqa: BLE001 - who waits must be answered.
            self._give_up(visit)

    def _answer(self, visit: "_Visit", kept: Representation) -> None:
        none_match = visit.request.values[0]  # PERF: an `Asked` takes 0.4 us.
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
        ids = request_ids(visit.later.owns)
        self._record(visit, ids, status)
        visit.later.answer(kept.answer(status), ids)

    def _answer_problem(self, visit: "_Visit", error: Exception) -> None:
        problem = problem_of(error, retry_after_seconds=self._retry_after_seconds)
        ids = request_ids(visit.later.owns)
        self._record(visit, ids, problem.status)
        visit.later.answer_each(answer_problem(problem, an_id.decode()) for an_id in ids)

    def _record(self, visit: "_Visit", ids: Sequence[bytes], status: int) -> None:
        answered = Answered(
            visit.request.method,
            visit.known.route,
            visit.known.path,
            status,
            visit.later.scheme,
            perf_counter() - visit.started,
        )
        record_later(self._metrics, answered, visit.later, ids)


class _Visits:
    """All who ask about a scope at one moment; `app.services.freshness.Asker`."""

    __slots__ = ("_by_request", "_scope", "_shortcut")

    def __init__(self, shortcut: Shortcut, scope: str) -> None:
        self._shortcut = shortcut
        self._scope = scope
        self._by_request: dict[ReadyRequest, _Visit] = {}

    def join(self, request: ReadyRequest, known: Known) -> Later:
        """Return what all who ask the same get."""
        visit = self._by_request.get(request)
        if visit is None:
            visit = self._by_request[request] = _Visit(request, known, perf_counter(), Later())
        return visit.later

    def close(self) -> int:
        """See `Asker.close`."""
        self._shortcut.leave(self._scope)
        for visit in self._by_request.values():
            visit.later.close()
        return sum(visit.later.clients for visit in self._by_request.values())

    def hear(self, stamp: str | None) -> None:
        """See `Asker.hear`."""
        self._shortcut.hear(self._by_request.values(), stamp)


class _Visit(NamedTuple):
    request: ReadyRequest
    known: Known
    started: float
    """By the first of them."""
    later: Later
