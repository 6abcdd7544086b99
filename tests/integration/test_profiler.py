"""The check of what the profiler saw can say no."""

from typing import Any

import pytest
from many_todos import fill, make_todos
from profiler import complaints, profile
from pymongo import DESCENDING

from app.domain.todo import PUBLIC_OWNER
from app.resources import Resources
from app.storage.todos import MongoTodoRepository

pytestmark = pytest.mark.gen_test

LIMIT = 10

BAD = {
    "a scan of the collection": ({"content": "todo 5"}, None, "by COLLSCAN"),
    "a sort in memory": ({"owner": PUBLIC_OWNER}, [("content", DESCENDING)], "sorts in memory"),
    "a filter after the index": (
        {"owner": PUBLIC_OWNER, "content": "todo 5"},
        [("created_at", DESCENDING)],
        "(docsExamined)",
    ),
}


@pytest.mark.parametrize(("wanted", "order", "expected"), BAD.values(), ids=BAD)
async def test_the_check_catches(
    resources: Resources,
    repository: MongoTodoRepository,
    *,
    wanted: dict[str, Any],
    order: list[tuple[str, int]] | None,
    expected: str,
):
    await fill(repository, make_todos(PUBLIC_OWNER))
    entries = await profile(
        resources, lambda: resources.todos.find(wanted, sort=order, limit=LIMIT).to_list()
    )
    assert any(expected in complaint for complaint in complaints(entries))


async def test_the_check_catches_an_operation_that_asked_nothing(resources: Resources):
    async def idle() -> None:
        pass

    assert complaints(await profile(resources, idle)) == ["the profiler saw nothing"]
