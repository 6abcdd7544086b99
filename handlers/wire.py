"""Todos as the API shows them."""

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct

from app.domain.page import Page
from app.domain.statistics import Statistics
from app.domain.todo import Todo

TodoId = Annotated[str, Meta(pattern="^[0-9a-f]{24}$", examples=["6740a3c2e1b4f0a1b2c3d4e5"])]


class TodoView(Struct, frozen=True, kw_only=True):
    """A todo. Times are RFC 3339 in UTC; ``rev`` is the number in its entity tag."""

    id: TodoId
    content: str
    is_finished: bool
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    rev: Annotated[int, Meta(ge=1)]


class TodoPage(Struct, frozen=True):
    """A page of todos, newest first; ``next_cursor`` is null on the last one."""

    items: tuple[TodoView, ...]
    next_cursor: str | None


class ArticleTodo(Struct, frozen=True):
    """A todo as the first version shows it. Times are seconds since the epoch."""

    id: TodoId
    content: str
    created_at: float
    is_finished: bool
    finished_at: float | None


class ArticlePage(Struct, frozen=True):
    """A page of the first version: at most ten todos, newest first."""

    data: tuple[ArticleTodo, ...]


class StatisticsView(Struct, frozen=True, kw_only=True):
    """What all todos come to. Times are RFC 3339 in UTC, and null where there are no todos."""

    total: int
    open: int
    finished: int
    oldest_created_at: datetime | None
    newest_created_at: datetime | None


def view(todo: Todo) -> TodoView:
    """Return the todo as the API shows it."""
    return TodoView(
        id=todo.id,
        content=todo.content,
        is_finished=todo.is_finished,
        created_at=_time(todo.created_at),
        updated_at=_time(todo.updated_at),
        finished_at=_time_or_none(todo.finished_at),
        rev=todo.rev,
    )


def page_view(page: Page) -> TodoPage:
    """Return the page as the API shows it."""
    return TodoPage(tuple(map(view, page.items)), page.next_cursor)


def article_view(todo: Todo) -> ArticleTodo:
    """Return the todo as the first version shows it."""
    return ArticleTodo(todo.id, todo.content, todo.created_at, todo.is_finished, todo.finished_at)


def statistics_view(statistics: Statistics) -> StatisticsView:
    """Return the statistics as `run.py statistics` shows them."""
    return StatisticsView(
        total=statistics.total,
        open=statistics.open,
        finished=statistics.finished,
        oldest_created_at=_time_or_none(statistics.oldest),
        newest_created_at=_time_or_none(statistics.newest),
    )


def entity_tag(todo: Todo) -> str:
    """Return the todo's strong entity tag (RFC 9110, section 8.8.3)."""
    return f'"{todo.rev}"'


def _time_or_none(seconds: float | None) -> datetime | None:
    return None if seconds is None else _time(seconds)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
