"""Stores new todos without a RequestHandler, where nothing is wrong with the request."""

from asyncio import CancelledError, Future
from collections.abc import Iterable
from functools import partial
from time import perf_counter
from typing import NamedTuple

from app import log
from app.domain.todo import PUBLIC_OWNER, Todo
from app.httpserver import Answer, Later, ReadyRequest
from app.metrics import Metrics
from app.services.todos import TodoService
from handlers.asked import Asked
from handlers.creating import Creation
from handlers.problems import RequestProblem, problem_of
from handlers.recording import Answered, log_if_fault, record_later
from handlers.representation import answer_problem
from handlers.request_ids import request_ids


class CreateShortcut:
    """Answers a POST in which nothing is wrong.

    The ordinary road does everything else: it says what is wrong. Both send the same bytes.
    """

    def __init__(
        self,
        creations: Iterable[Creation],
        todos: TodoService,
        metrics: Metrics,
        *,
        retry_after_seconds: int,
    ) -> None:
        self._creations = {
            (creation.target, media_type): (creation, creation.template())
            for creation in creations
            for media_type in creation.media_types()
        }
        self._todos = todos
        self._metrics = metrics
        self._retry_after_seconds = retry_after_seconds

    def __call__(self, request: ReadyRequest) -> Later | None:
        """Return the answer to come; see `app.httpserver.Ready`."""
        asked = Asked(*request.values)
        found = self._creations.get((request.target, asked.media_type or ""))
        if found is None or asked.none_match is not None:
            return None
        creation, template = found
        try:
            draft = creation.read(request.body)
        except RequestProblem:
            return None
        visit = _Visit(creation, template, perf_counter(), Later())
        todo, stored = self._todos.begin_to_add(PUBLIC_OWNER, draft)
        stored.add_done_callback(partial(self._stored, visit, todo))
        return visit.later

    def _stored(self, visit: "_Visit", todo: Todo, stored: "Future[None]") -> None:
        (an_id,) = request_ids(visit.later.owns)
        try:
            stored.result()
            body = visit.creation.render(todo)
            head = visit.template % (an_id, todo.id.encode(), len(body))
            self._answer(visit, an_id, visit.creation.status, Answer(head, body))
        except (Exception, CancelledError) as error:  # noqa: BLE001 - who waits must be told.
            # Never the ordinary road: the todo may be stored, and would be stored again.
            log.request_id.set(an_id.decode())  # A callback has a context of its own.
            problem = problem_of(error, retry_after_seconds=self._retry_after_seconds)
            log_if_fault(self._metrics, visit.creation.target, problem, error)
            self._answer(visit, an_id, problem.status, answer_problem(problem, an_id.decode()))

    def _answer(self, visit: "_Visit", an_id: bytes, status: int, answer: Answer) -> None:
        answered = Answered(
            method="POST",
            route=visit.creation.target,
            path=visit.creation.target,
            status=status,
            scheme=visit.later.scheme,
            seconds=perf_counter() - visit.started,
        )
        record_later(self._metrics, answered, visit.later, (an_id,))
        visit.later.answer(answer)


class _Visit(NamedTuple):
    creation: Creation
    template: bytes
    started: float
    later: Later
