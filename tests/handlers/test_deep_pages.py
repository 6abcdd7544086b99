"""Pages by number, which are counted to from those that were read before."""

import random

import pytest
from api import Api
from clock import Clock
from many_todos import NOW, fill, make_todos

from app.domain.todo import PUBLIC_OWNER
from app.storage.todos import MongoTodoRepository

pytestmark = [pytest.mark.gen_test(timeout=60), pytest.mark.usefixtures("settled")]

STEPS = 150
SEED = 20


async def test_every_page_is_the_part_of_the_list_that_its_number_says_whatever_was_written(
    api: Api, repository: MongoTodoRepository, clock: Clock
) -> None:
    todos = make_todos(PUBLIC_OWNER)
    await fill(repository, todos)
    newest_first = [todo.id for todo in todos[::-1]]
    clock.now = NOW + len(todos)
    draw = random.Random(SEED)
    for _ in range(STEPS):
        if draw.random() < 0.1:
            clock.advance(1)
            answer = await api.call("POST", "/todo", form="content=new")
            newest_first.insert(0, answer.headers["Location"].rpartition("/")[2])
        elif draw.random() < 0.1:
            gone = newest_first.pop(draw.randrange(len(newest_first)))
            await api.call("DELETE", f"/todo/{gone}")
        start = draw.randrange(len(newest_first) + 20)
        page = (await api.call("GET", f"/todo?start={start}")).json()["data"]
        assert [todo["id"] for todo in page] == newest_first[start : start + 10]
