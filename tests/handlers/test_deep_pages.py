"""Pages by number, which are counted to from those that were read before, by two processes."""

import random

import pytest
from api import Api
from clock import Clock
from many_todos import NOW, fill, make_todos
from other_process import Process

from app.domain.todo import PUBLIC_OWNER
from app.services.under_stamp import UnderStamp
from app.storage.todos import MongoTodoRepository

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("settled")]

STEPS = 300
SEED = 20


async def read_among_writes(
    apis: tuple[Api, Api], repository: MongoTodoRepository, clock: Clock
) -> None:
    """Hold every page against the list as it must be after each write, whoever did it.

    The first of them adds: it has the clock.
    """
    todos = make_todos(PUBLIC_OWNER)
    await fill(repository, todos)
    newest_first = [todo.id for todo in todos[::-1]]
    clock.now = NOW + len(todos)
    draw = random.Random(SEED)
    for _ in range(STEPS):
        remover, reader = draw.choice(apis), draw.choice(apis)
        if draw.random() < 0.1:
            clock.advance(1)
            answer = await apis[0].call("POST", "/todo", form="content=new")
            newest_first.insert(0, answer.headers["Location"].rpartition("/")[2])
        elif draw.random() < 0.1:
            gone = newest_first.pop(draw.randrange(len(newest_first)))
            await remover.call("DELETE", f"/todo/{gone}")
        start = draw.randrange(len(newest_first) + 20)
        page = (await reader.call("GET", f"/todo?start={start}")).json()["data"]
        assert [todo["id"] for todo in page] == newest_first[start : start + 10]


async def test_every_page_is_the_part_of_the_list_that_its_number_says_whatever_was_written(
    api: Api, other: Process, repository: MongoTodoRepository, clock: Clock
) -> None:
    await read_among_writes((api, other.api), repository, clock)


async def test_what_is_known_of_a_list_under_another_stamp_would_show_the_wrong_page(
    api: Api,
    other: Process,
    repository: MongoTodoRepository,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    get = UnderStamp.get
    monkeypatch.setattr(
        UnderStamp, "get", lambda self, owner, stamp: get(self, owner, stamp and "any")
    )
    with pytest.raises(AssertionError):
        await read_among_writes((api, other.api), repository, clock)
