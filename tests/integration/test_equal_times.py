"""Thousands of todos of one instant: pages hold each once and cost no more than others."""

import pytest
from bson import ObjectId
from many_todos import NOW
from profiler import name_of, profile
from todo_service import make_service

from app.domain.page import Position, TodoQuery
from app.domain.todo import PUBLIC_OWNER, Todo
from app.resources import Resources
from app.services.todos import TodoService
from app.storage.todos import MongoTodoRepository

pytestmark = pytest.mark.gen_test

TODOS = 5000
LIMIT = 100
"""The largest page: the fewest requests for a walk over all."""
DEEP = 40
"""Pages before the one that is looked at."""
SEEK_KEYS = 2
"""What a page may look at beside its own: the cursor's todo, and one to see that it is full."""


async def fill(repository: MongoTodoRepository) -> list[str]:
    """Store todos of one instant, half of them finished; return their ids, newest first."""
    todos = [
        Todo(
            id=str(ObjectId()),
            owner=PUBLIC_OWNER,
            content="buy milk",
            created_at=NOW,
            is_finished=number % 2 == 0,
            finished_at=NOW if number % 2 == 0 else None,
            updated_at=NOW,
            rev=1,
        )
        for number in range(TODOS)
    ]
    await repository.add_many(todos)
    return sorted((todo.id for todo in todos), reverse=True)


def query_after(service: TodoService, cursor: str | None, *, is_finished: bool | None) -> TodoQuery:
    after: Position | None = None
    if cursor is not None:
        after = service.position(cursor, owner=PUBLIC_OWNER, is_finished=is_finished)
    return TodoQuery(owner=PUBLIC_OWNER, limit=LIMIT, is_finished=is_finished, after=after)


async def walk(
    service: TodoService, *, is_finished: bool | None, pages: int = TODOS
) -> tuple[list[str], str | None]:
    """Follow the cursors; return the ids on that many pages at most, and the next cursor."""
    seen: list[str] = []
    cursor = None
    for _ in range(pages):
        page = await service.page(query_after(service, cursor, is_finished=is_finished))
        seen += [todo.id for todo in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    return seen, cursor


async def test_a_walk_over_todos_of_one_instant_meets_each_once(repository: MongoTodoRepository):
    stored = await fill(repository)
    seen, _ = await walk(make_service(repository, lambda: NOW), is_finished=None)
    assert seen == stored


@pytest.mark.parametrize("is_finished", [None, True], ids=["all", "finished"])
async def test_a_deep_page_among_todos_of_one_instant_looks_at_its_own_and_no_others(
    resources: Resources, repository: MongoTodoRepository, *, is_finished: bool | None
):
    await fill(repository)
    service = make_service(repository, lambda: NOW)
    depth = DEEP if is_finished is None else DEEP // 2
    _, cursor = await walk(service, is_finished=is_finished, pages=depth)
    entries = await profile(
        resources,
        lambda: service.page(query_after(service, cursor, is_finished=is_finished)),
    )
    assert [name_of(entry) for entry in entries] == ["find"]
    (entry,) = entries
    assert entry["nreturned"] >= LIMIT
    assert entry["keysExamined"] <= LIMIT + SEEK_KEYS
    assert entry["docsExamined"] <= LIMIT + SEEK_KEYS
