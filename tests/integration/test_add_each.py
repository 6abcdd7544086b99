"""Storing several new todos in one operation."""

import pytest
from pymongo.errors import OperationFailure
from repository_calls import LATER, NOW, OWNER, Repository, add, operations_asked, replace_id

from app.domain.page import TodoQuery
from app.domain.todo import Todo, TodoDraft, new_todo
from app.metrics import Metrics
from app.services.freshness import OperationTime

pytestmark = pytest.mark.gen_test

DUPLICATE_KEY = 11000


def make_todos(repository: Repository, count: int) -> list[Todo]:
    return [
        new_todo(
            TodoDraft(f"todo {number}"),
            todo_id=repository.new_id(),
            owner=OWNER,
            now=NOW + number,
        )
        for number in range(count)
    ]


async def listed(repository: Repository) -> list[Todo]:
    return list(await repository.list(TodoQuery(owner=OWNER, limit=100)))


async def test_all_are_stored_by_one_operation(repository: Repository, metrics: Metrics) -> None:
    todos = make_todos(repository, 50)
    assert await repository.add_each(todos) == [None] * 50
    (asked,) = operations_asked(metrics)
    assert 'db_operation_name="insert_many"' in asked
    assert asked.endswith(" 1.0")
    assert await listed(repository) == todos[::-1]


@pytest.mark.parametrize("place", [0, 2, 4])
async def test_one_whose_id_is_taken_fails_alone(repository: Repository, place: int) -> None:
    there = await add(repository, "there before", now=LATER)
    todos = make_todos(repository, 5)
    bad = new_todo(TodoDraft("too late"), todo_id=there.id, owner=OWNER, now=LATER)
    told = await repository.add_each([*todos[:place], bad, *todos[place:]])
    failure = told[place]
    assert isinstance(failure, OperationFailure)
    assert failure.code == DUPLICATE_KEY
    assert [*told[:place], *told[place + 1 :]] == [None] * 5
    assert await listed(repository) == [there, *todos[::-1]]


async def test_several_may_fail_and_each_is_told_its_own(repository: Repository) -> None:
    first, second = await add(repository, "first"), await add(repository, "second")
    new = replace_id(first)
    one, none, another = await repository.add_each([second, new, first])
    assert none is None
    assert (first.id in str(another), second.id in str(one)) == (True, True)


async def test_an_id_that_comes_twice_is_stored_once(repository: Repository) -> None:
    (todo,) = make_todos(repository, 1)
    stored, refused = await repository.add_each([todo, todo])
    assert stored is None
    assert isinstance(refused, OperationFailure)
    assert await listed(repository) == [todo]


async def test_every_operation_that_stores_moves_the_operation_time(
    repository: Repository, operation_time: OperationTime
) -> None:
    (todo,) = make_todos(repository, 1)
    before = operation_time.newest
    await repository.add_each([todo])
    first = operation_time.newest
    await repository.add_each([todo, *make_todos(repository, 1)])
    assert before < first < operation_time.newest
