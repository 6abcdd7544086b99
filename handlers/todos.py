"""The todo resources, at ``/v1/todos``."""

from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from app.domain.page import TodoQuery
from app.domain.todo import TodoChanges, TodoDraft, require_todo_id
from app.errors import InvalidCursor
from app.services.todos import TodoService
from handlers.base import BaseHandler, Load, Route
from handlers.conditions import CONDITIONS, rev_condition
from handlers.creating import Creation
from handlers.operation import JSON, MERGE_PATCH, Answer, Body, Operation, operation
from handlers.problems import INVALID_CURSOR
from handlers.representation import Representation, represent
from handlers.validation import parse_json, parse_query
from handlers.wire import TodoPage, TodoView, entity_tag, page_view, view


class ListParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """The query parameters of a list."""

    limit: Annotated[int, Meta(ge=1, le=100, description="Most todos on a page.")] = 20
    cursor: (
        Annotated[str, Meta(max_length=64, description="`next_cursor` of the page before.")]
        | UnsetType
    ) = UNSET
    is_finished: (
        Annotated[
            Literal["true", "false"], Meta(description="Only todos in this state; all without it.")
        ]
        | UnsetType
    ) = UNSET


class TodoListHandler(BaseHandler):
    """All todos of the owner, at ``/v1/todos``."""

    @operation(
        Operation(
            summary="List todos, newest first.",
            query=ListParameters,
            answers={200: Answer("A page of todos.", TodoPage, headers=("ETag", "Link"))},
            problems=("invalid-parameter", "storage-unavailable"),
            conditional=True,
        )
    )
    async def get(self) -> None:
        """Answer with a page; ``Link`` and ``next_cursor`` lead to the next one."""
        asked = parse_query(
            self.request.query, ListParameters, checks={"cursor": self._explain_cursor}
        )
        await self.reply_from(*self._source(asked))

    def _source(self, asked: ListParameters) -> tuple[str, Load]:
        """Return what `reply_from` and `read` take for the list that is asked for."""
        todos = self.dependencies.todos
        load = partial(_page, todos, asked, _query(todos, asked, self.owner))
        return f"v1 {asked.limit} {asked.is_finished} {asked.cursor}", load

    def _explain_cursor(self, cursor: str) -> tuple[str, str] | None:
        """Tell what is wrong with a cursor whatever the filter, which may be wrong as well."""
        for is_finished in (None, False, True):
            with suppress(InvalidCursor):
                self.dependencies.todos.position(cursor, owner=self.owner, is_finished=is_finished)
                return None
        return INVALID_CURSOR

    @operation(
        Operation(
            summary="Add a todo.",
            body=Body(TodoDraft, (JSON,)),
            answers={201: Answer("The new todo.", TodoView, headers=("ETag", "Location"))},
            problems=("invalid-parameter", "storage-unavailable"),
            conditional=True,
        )
    )
    async def post(self) -> None:
        """Store a new todo and answer with it."""
        self.refuse_parameters()
        self.require_media_type()
        draft = CREATION.read(self.body)
        if any(name in self.request.headers for name in CONDITIONS):
            # The list is what the request is for. Another write may come in between: nothing but
            # the list itself could tell, and it has no revision that MongoDB knows.
            found, _ = await self.read(*self._source(ListParameters()))
            found.body.demand(self.request.headers)
        await self.create(CREATION, draft)


class TodoHandler(BaseHandler):
    """One todo, at ``/v1/todos/<id>``."""

    @operation(
        Operation(
            summary="Read a todo.",
            answers={200: Answer("The todo.", TodoView, headers=("ETag",))},
            problems=("invalid-parameter", "todo-not-found", "storage-unavailable"),
            conditional=True,
        )
    )
    async def get(self, todo_id: str) -> None:
        """Answer with the todo."""
        self.refuse_parameters()
        require_todo_id(todo_id)
        todos = self.dependencies.todos
        load = partial(_todo, todos, self.owner, todo_id)
        await self.reply_from(
            f"v1 {todo_id}",
            load,
            is_absent=lambda stamp: todos.is_absent(self.owner, todo_id, stamp=stamp),
        )

    @operation(
        Operation(
            summary="Change a todo; members that are absent stay as they are (RFC 7396).",
            body=Body(TodoChanges, (MERGE_PATCH, JSON)),
            answers={200: Answer("The changed todo.", TodoView, headers=("ETag",))},
            problems=("invalid-parameter", "todo-not-found", "storage-unavailable"),
            conditional=True,
        )
    )
    async def patch(self, todo_id: str) -> None:
        """Apply a merge patch and answer with the todo after it."""
        self.refuse_parameters()
        self.require_media_type()
        changes = parse_json(self.body, TodoChanges, shown=TodoView)
        condition = rev_condition(self.request.headers)
        todo = await self.dependencies.todos.revise(self.owner, todo_id, changes, condition)
        self.reply(200, view(todo), tag=entity_tag(todo))

    @operation(
        Operation(
            summary="Delete a todo.",
            answers={204: Answer("It is gone.")},
            problems=("invalid-parameter", "todo-not-found", "storage-unavailable"),
            conditional=True,
        )
    )
    async def delete(self, todo_id: str) -> None:
        """Delete the todo."""
        self.refuse_parameters()
        condition = rev_condition(self.request.headers)
        await self.dependencies.todos.delete(self.owner, todo_id, condition)
        self.set_status(204)


async def _page(
    todos: TodoService, asked: ListParameters, query: TodoQuery, _stamp: str | None
) -> Representation:
    page = await todos.page(query)
    if page.next_cursor is None:
        return represent(page_view(page))
    # Relative to the address that was asked for, so no Host header can poison it.
    link = f'<{_next(asked, page.next_cursor)}>; rel="next"'
    return represent(page_view(page), fields=(("Link", link),))


async def _todo(todos: TodoService, owner: str, todo_id: str, stamp: str | None) -> Representation:
    todo = await todos.fetch(owner, todo_id, stamp=stamp)
    return represent(view(todo), tag=entity_tag(todo))


CREATION = Creation(
    target="/v1/todos",
    media_type=JSON,
    read=partial(parse_json, kind=TodoDraft, shown=TodoView),
    status=HTTPStatus.CREATED,
    fields={"ETag": '"1"', "Content-Type": JSON},  # A new todo is at its first revision.
    render=lambda todo: msgspec.json.encode(view(todo)),
)


def _query(todos: TodoService, asked: ListParameters, owner: str) -> TodoQuery:
    is_finished = None if asked.is_finished is UNSET else asked.is_finished == "true"
    after = None
    if asked.cursor is not UNSET:
        after = todos.position(asked.cursor, owner=owner, is_finished=is_finished)
    return TodoQuery(owner=owner, limit=asked.limit, is_finished=is_finished, after=after)


def _next(asked: ListParameters, cursor: str) -> str:
    parameters = {"limit": str(asked.limit), "cursor": cursor}
    if asked.is_finished is not UNSET:
        parameters["is_finished"] = asked.is_finished
    return f"/v1/todos?{urlencode(parameters)}"


ROUTES = (
    Route("/v1/todos", TodoListHandler),
    Route("/v1/todos/{todo_id}", TodoHandler),
)
