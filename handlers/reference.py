"""The API's description of itself: the OpenAPI document, the problems, and what is not there."""

from collections.abc import Awaitable
from typing import Any

from msgspec import Raw
from tornado.web import HTTPError

from app.metrics import METHODS
from handlers.base import BaseHandler, Route
from handlers.operation import TEXT, Answer, Operation, operation
from handlers.problems import PROBLEMS
from handlers.representation import represent


class OpenApiHandler(BaseHandler):
    """The OpenAPI document, at ``/openapi.json``."""

    @operation(
        Operation(
            summary="Describe this API (OpenAPI 3.1).",
            answers={200: Answer("The OpenAPI document.", dict, headers=("ETag",))},
            conditional=True,
        )
    )
    def get(self) -> None:
        """Answer with the document."""
        self.reply_with(represent(Raw(self.dependencies.openapi)))


class ProblemHandler(BaseHandler):
    """What a problem means, at the address that is its type."""

    is_guarded = False

    @operation(
        Operation(
            summary="Explain a kind of problem.",
            answers={200: Answer("An explanation for people.", str, TEXT)},
            problems=("not-found",),
        )
    )
    def get(self, code: str) -> None:
        """Answer with the explanation."""
        if code not in PROBLEMS:
            raise HTTPError(404)
        problem = PROBLEMS[code]
        self.set_header("Content-Type", f"{TEXT}; charset=utf-8")
        self.write(f"{problem.title} ({problem.status})\n\n{problem.advice}\n")


class NotFoundHandler(BaseHandler):
    """Every address that has no route, and ``*``, which stands for all of them."""

    is_guarded = False

    def prepare(self) -> Awaitable[None] | None:
        """Answer that nothing is here."""
        if self.request.path != "*":  # The server lets it pass with OPTIONS alone.
            raise HTTPError(404)
        return super().prepare()

    @classmethod
    def allowed_methods(cls) -> tuple[str, ...]:
        """Return what some address or other has (RFC 9110, section 9.3.7)."""
        return tuple(sorted(METHODS))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer so whatever the method: Tornado has an error of its own for unknown ones."""
        super().write_error(404, exc_info=(HTTPError, HTTPError(404), None))


ROUTES = (
    Route("/openapi.json", OpenApiHandler),
    Route("/problems/{code}", ProblemHandler),
)
