"""The first version of the API: the founding article's contract, to the letter."""

import re
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Annotated

from msgspec import Meta, Struct

from app.domain.todo import Content, TodoDraft
from app.services.todos import TodoService
from handlers.base import BaseHandler, Route
from handlers.creating import Creation
from handlers.multipart import parse_multipart
from handlers.operation import FORM, MULTIPART, Answer, Body, Operation, operation
from handlers.representation import Representation, represent
from handlers.validation import convert_parameters, parse_pairs, refuse_parameter
from handlers.wire import ArticlePage, article_view

PAGE_TODOS = 10
"""Todos on a page of the first version."""

_DIGITS = re.compile("[0-9]+")


class Greeting(Struct, frozen=True):
    """The answer of ``/index``."""

    msg: str = "hello world"


class ArticleForm(Struct, frozen=True):
    """The form that adds a todo; other fields are ignored."""

    content: Content


class StartParameter(Struct, frozen=True):
    """The query parameter of the list."""

    start: Annotated[
        str, Meta(description="Todos to skip; what is no number counts as 0.", examples=["10"])
    ] = "0"


class IndexHandler(BaseHandler):
    """The smoke test, at ``/index``."""

    @operation(
        Operation(
            summary="Greet.",
            answers={200: Answer("A greeting.", Greeting, headers=("ETag",))},
            conditional=True,
        )
    )
    def get(self) -> None:
        """Greet."""
        self.reply_with(represent(Greeting()))


class ArticleListHandler(BaseHandler):
    """All todos, at ``/todo``."""

    @operation(
        Operation(
            summary="List ten todos, newest first.",
            query=StartParameter,
            answers={200: Answer("A page of todos.", ArticlePage, headers=("ETag",))},
            problems=("invalid-parameter", "storage-unavailable"),
            conditional=True,
        )
    )
    async def get(self) -> None:
        """Answer with ten todos after skipping ``start``."""
        start = self._start()
        load = partial(_page, self.dependencies.todos, self.owner, start)
        await self.reply_from(f"v0 {start}", load)

    @operation(
        Operation(
            summary="Add a todo from a form.",
            body=Body(ArticleForm, (FORM, MULTIPART), default=FORM),
            answers={200: Answer("It is stored; no body.", headers=("Location",))},
            problems=("invalid-parameter", "storage-unavailable"),
        )
    )
    async def post(self) -> None:
        """Store the form's ``content`` as a new todo."""
        media_type = self.require_media_type()
        if media_type.first == MULTIPART:
            pairs = parse_multipart(self.body, media_type.parameters.get("boundary"))
            draft = _draft_of(pairs)
        else:
            draft = CREATION.read(self.body)
        await self.create(CREATION, draft)

    def _start(self) -> int:
        text = self.get_query_argument("start", "0", strip=False)
        if _DIGITS.fullmatch(text) is None:
            return 0
        limit = self.dependencies.max_start
        digits = text.lstrip("0") or "0"
        # The length first: Python refuses to convert thousands of digits.
        if len(digits) > len(str(limit)) or int(digits) > limit:
            refuse_parameter(
                "start",
                "too_large",
                f"is above {limit}: follow the cursors of /v1/todos to go deeper",
            )
        return int(digits)


class ArticleFinishHandler(BaseHandler):
    """The finishing of a todo, at ``/todo/<id>/finish``."""

    @operation(
        Operation(
            summary="Finish a todo; a second time changes nothing.",
            answers={200: Answer("It is finished; no body.")},
            problems=("todo-not-found", "storage-unavailable"),
        )
    )
    async def put(self, todo_id: str) -> None:
        """Finish the todo."""
        await self.dependencies.todos.finish(self.owner, todo_id)


class ArticleTodoHandler(BaseHandler):
    """One todo, at ``/todo/<id>``."""

    @operation(
        Operation(
            summary="Delete a todo.",
            answers={200: Answer("It is gone; no body.")},
            problems=("todo-not-found", "storage-unavailable"),
        )
    )
    async def delete(self, todo_id: str) -> None:
        """Delete the todo."""
        await self.dependencies.todos.delete(self.owner, todo_id)


def _draft(body: bytes) -> TodoDraft:
    return _draft_of(parse_pairs(body.decode("utf-8", "surrogateescape")))


def _draft_of(pairs: Sequence[tuple[str, str]]) -> TodoDraft:
    return TodoDraft(convert_parameters(pairs, ArticleForm).content)


CREATION = Creation(
    target="/todo",
    media_type=FORM,
    read=_draft,
    status=HTTPStatus.OK,
    fields={},
    render=lambda _todo: b"",
)


async def _page(todos: TodoService, owner: str, start: int, stamp: str | None) -> Representation:
    page = await todos.page_from(owner, start=start, limit=PAGE_TODOS, stamp=stamp)
    return represent(ArticlePage(tuple(map(article_view, page))))


ROUTES = (
    Route("/index", IndexHandler),
    Route("/todo", ArticleListHandler),
    Route("/todo/{todo_id}/finish", ArticleFinishHandler),
    Route("/todo/{todo_id}", ArticleTodoHandler),
)
