"""Lists of todos: their order, their pages, and nothing twice or never."""

import pytest
from clock import Clock
from msgspec.structs import replace
from repository_calls import FINISH, OWNER, STRANGER, Repository, add, update

from app.domain.page import Position, TodoQuery
from app.domain.todo import UNCONDITIONAL, Todo

pytestmark = pytest.mark.gen_test


async def add_list(repository: Repository, clock: Clock) -> list[Todo]:
    """Return seven todos, newest first; three share a time, two are finished."""
    todos = [await add(repository, f"{n}", now=clock()) for n in range(2)]
    todos += [await add(repository, f"{n}", now=clock.advance(1)) for n in range(2, 4)]
    todos += [await add(repository, f"{n}", now=clock()) for n in range(4, 6)]
    todos.append(await add(repository, "6", now=clock.advance(1)))
    for number in (1, 4):
        todos[number] = await update(repository, todos[number], FINISH)
    return sorted(todos, key=lambda todo: (todo.created_at, todo.id), reverse=True)


async def test_a_list_is_newest_first_and_equal_times_are_ordered_by_id(
    repository: Repository, clock: Clock
):
    todos = await add_list(repository, clock)
    await add(repository, owner=STRANGER)
    assert list(await repository.list(TodoQuery(owner=OWNER, limit=100))) == todos


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("is_finished", [None, True, False], ids=["all", "finished", "open"])
async def test_pages_that_follow_each_other_hold_every_todo_once(
    repository: Repository, clock: Clock, is_finished: bool | None, limit: int
):
    todos = await add_list(repository, clock)
    expected = [todo for todo in todos if is_finished in (None, todo.is_finished)]
    seen: list[Todo] = []
    after = None
    while page := await repository.list(
        TodoQuery(owner=OWNER, limit=limit, is_finished=is_finished, after=after)
    ):
        assert len(page) <= limit
        seen += page
        after = Position(page[-1].created_at, page[-1].id)
    assert seen == expected


async def test_a_place_in_a_list_outlives_the_todo_it_was_taken_from(
    repository: Repository, clock: Clock
):
    todos = await add_list(repository, clock)
    place = Position(todos[2].created_at, todos[2].id)
    await repository.delete(OWNER, todos[2].id, condition=UNCONDITIONAL)
    await add(repository, "newer", now=clock.advance(1))
    assert list(await repository.list(TodoQuery(owner=OWNER, limit=9, after=place))) == todos[3:]


@pytest.mark.parametrize("digit", ["0", "1", "f"])
async def test_a_list_goes_on_behind_the_first_id_and_the_last(
    repository: Repository, clock: Clock, digit: str
):
    earlier = await add(repository, "earlier", now=clock())
    todo = replace(earlier, id=digit * 24, created_at=clock.advance(1))
    assert await repository.add_each([todo]) == [None]
    place = Position(todo.created_at, todo.id)
    assert list(await repository.list(TodoQuery(owner=OWNER, limit=9, after=place))) == [earlier]


@pytest.mark.parametrize(("start", "limit"), [(0, 3), (2, 3), (6, 3), (7, 3), (10_000, 10)])
async def test_a_list_can_start_anywhere(
    repository: Repository, clock: Clock, start: int, limit: int
):
    todos = await add_list(repository, clock)
    found = await repository.list(TodoQuery(owner=OWNER, limit=limit, skip=start))
    assert list(found) == todos[start : start + limit]


@pytest.mark.parametrize("is_finished", [None, False], ids=["all", "open"])
@pytest.mark.parametrize("skip", [0, 1, 2, 5, 6])
async def test_a_list_can_start_anywhere_behind_a_place(
    repository: Repository, clock: Clock, skip: int, is_finished: bool | None
):
    todos = await add_list(repository, clock)
    expected = [todo for todo in todos if is_finished in (None, todo.is_finished)]
    after = Position(expected[1].created_at, expected[1].id)
    query = TodoQuery(owner=OWNER, limit=2, is_finished=is_finished, after=after, skip=skip)
    assert list(await repository.list(query)) == expected[2 + skip : 4 + skip]
