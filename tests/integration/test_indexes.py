"""Every query of the service is answered from an index, as the server's own profiler saw it."""

import asyncio
import dataclasses
from collections import Counter
from random import Random
from typing import Any

import pytest
from bson import ObjectId
from many_todos import NOW, TODOS_OF_EACH, fill, make_todos
from msgspec.structs import replace
from profiler import SLACK_DOCUMENTS, Shape, complaints, name_of, owners_of, profile
from todo_service import make_service

from app.bootstrap import make_repository
from app.domain.page import Position, TodoQuery
from app.domain.todo import PUBLIC_OWNER, RevCondition, Todo, TodoChanges, TodoDraft
from app.metrics import Metrics
from app.resources import Resources
from app.services.todos import TodoService
from app.settings import Settings
from app.storage import adoption
from app.storage.indexes import INDEXES
from app.storage.preparation import prepare
from app.storage.todos import MongoTodoRepository

pytestmark = pytest.mark.gen_test

LIMIT = 10
START = 300
ARTICLE_DOCUMENTS = 250
NOT_PROFILED = {"ping", "prepare"}
"""Commands that ask no collection, and one that has a test of its own."""
UNKNOWN_ID = str(ObjectId())


class WatchedRepository:
    """Notes which methods of the repository the service has called."""

    def __init__(self, repository: MongoTodoRepository) -> None:
        self._repository = repository
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.called.add(name)
        return getattr(self._repository, name)


def public_methods(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


async def stored_by_owner(resources: Resources) -> Counter[str | None]:
    """Return how many documents each owner has; those without one are None's."""
    groups = resources.todos.aggregate([{"$group": {"_id": "$owner", "stored": {"$sum": 1}}}])
    return Counter({group["_id"]: group["stored"] async for group in groups})


def position_of(todo: Todo) -> Position:
    return Position(todo.created_at, todo.id)


@pytest.fixture
def watched(repository: MongoTodoRepository) -> WatchedRepository:
    return WatchedRepository(repository)


@pytest.fixture
def todos() -> list[Todo]:
    return make_todos(PUBLIC_OWNER)


def make_shapes(watched: WatchedRepository, todos: list[Todo]) -> dict[str, Shape]:
    """Return every operation of the service in all its forms, by name."""
    service = make_service(watched, lambda: NOW)
    unknown, known = UNKNOWN_ID, todos[500].id
    deleted = [todo.id for todo in todos[600:605]]
    shapes: dict[str, Shape] = {
        "add": lambda: service.add(PUBLIC_OWNER, TodoDraft("new")),
        "add_many": lambda: watched.add_many(make_todos("fourth")),
        "list": lambda: watched.list(TodoQuery(owner=PUBLIC_OWNER, limit=LIMIT)),
        "neighbours": lambda: watched.neighbours(PUBLIC_OWNER, unknown),
        "ping": watched.ping,
        "prepare": lambda: watched.prepare(owner=PUBLIC_OWNER),
        "fetch": lambda: service.fetch(PUBLIC_OWNER, known, stamp=None),
        "fetch, unknown": lambda: service.fetch(PUBLIC_OWNER, unknown, stamp="s1"),
        "fetch, a stranger's": lambda: service.fetch("second", known, stamp=None),
        "begin_to_add": lambda: service.begin_to_add(PUBLIC_OWNER, TodoDraft("x"))[1],
        "finish": lambda: service.finish(PUBLIC_OWNER, known),
        "finish, unknown": lambda: service.finish(PUBLIC_OWNER, unknown),
        "delete": lambda: service.delete(PUBLIC_OWNER, deleted[0]),
        "delete, unknown": lambda: service.delete(PUBLIC_OWNER, unknown),
    }
    for start in (0, START, TODOS_OF_EACH + 50):
        shapes[f"page_from {start}"] = lambda start=start: service.page_from(
            PUBLIC_OWNER, start=start, limit=LIMIT, stamp=None
        )
    for is_finished in (None, False, True):
        of_state = [todo for todo in todos if is_finished in (None, todo.is_finished)]
        query = TodoQuery(owner=PUBLIC_OWNER, limit=LIMIT, is_finished=is_finished)
        places = {"first": None, "middle": len(of_state) // 2, "last": LIMIT // 2}
        for place, index in places.items():
            after = None if index is None else position_of(of_state[index])
            shapes[f"page, {place}, finished {is_finished}"] = lambda query=query, after=after: (
                service.page(replace(query, after=after))
            )
    conditions = {
        "any of": RevCondition(any_of=frozenset({1, 2, 3})),
        "none of": RevCondition(none_of=frozenset({9})),
        "both": RevCondition(any_of=frozenset({1, 2, 3, 4}), none_of=frozenset({9})),
        "not met": RevCondition(any_of=frozenset({9})),
    }
    changes = TodoChanges(content="changed")
    for number, (name, condition) in enumerate(conditions.items(), start=1):
        shapes[f"revise, {name}"] = lambda condition=condition: service.revise(
            PUBLIC_OWNER, known, changes, condition
        )
        shapes[f"delete, {name}"] = lambda condition=condition, number=number: service.delete(
            PUBLIC_OWNER, deleted[number], condition
        )
    return shapes


async def test_every_operation_of_the_service_is_answered_from_an_index(
    resources: Resources,
    repository: MongoTodoRepository,
    watched: WatchedRepository,
    todos: list[Todo],
):
    await fill(repository, todos)
    shapes = make_shapes(watched, todos)
    found = {
        name: complaints(await profile(resources, shape))
        for name, shape in shapes.items()
        if name not in NOT_PROFILED
    }
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


async def test_every_operation_names_the_owner_so_that_a_sharded_cluster_asks_one_shard(
    resources: Resources,
    repository: MongoTodoRepository,
    watched: WatchedRepository,
    todos: list[Todo],
):
    # {owner: 1, _id: 1} is the shard key (docs/scale.md); `prepare` is no request's.
    await fill(repository, todos)
    shapes = make_shapes(watched, todos)
    stored = await stored_by_owner(resources)
    for name, shape in shapes.items():
        if name in NOT_PROFILED:
            continue
        entries = await profile(resources, shape)
        for entry in entries:
            if name_of(entry) != "insert":
                assert owners_of(entry), (name, entry)
                assert owners_of(entry) <= {PUBLIC_OWNER, "second"}, (name, entry)
        before, stored = stored, await stored_by_owner(resources)
        added = stored - before
        assert set(added) <= {PUBLIC_OWNER, "fourth"}, (name, added)
        assert added.total() == sum(entry.get("ninserted", 0) for entry in entries), (name, added)


async def test_the_shapes_are_all_that_the_service_and_the_repository_have(
    resources: Resources,
    repository: MongoTodoRepository,
    watched: WatchedRepository,
    todos: list[Todo],
):
    await fill(repository, todos)
    shapes = make_shapes(watched, todos)
    for shape in shapes.values():
        await profile(resources, shape)
    named = {name.partition(",")[0].partition(" ")[0] for name in shapes}
    of_the_service = public_methods(TodoService) - {"is_absent", "position"}  # They ask nobody.
    assert named == of_the_service | {"add_many", "list", "neighbours", "ping", "prepare"}
    assert watched.called == public_methods(MongoTodoRepository)


async def test_a_page_is_counted_to_from_the_nearest_that_was_read_under_the_stamp(
    resources: Resources, repository: MongoTodoRepository, todos: list[Todo]
):
    await fill(repository, todos)
    service = make_service(repository, lambda: NOW)

    async def keys_examined(start: int, stamp: str | None) -> int:
        async def page() -> None:
            await service.page_from(PUBLIC_OWNER, start=start, limit=LIMIT, stamp=stamp)

        (found,) = await profile(resources, page)
        examined: int = found["keysExamined"]
        return examined

    page = LIMIT + SLACK_DOCUMENTS
    assert await keys_examined(START, "s1") >= START
    assert await keys_examined(START + LIMIT, "s1") <= page
    assert await keys_examined(START + 3 * LIMIT, "s1") <= page + 2 * LIMIT
    assert await keys_examined(START + LIMIT, "s2") >= START
    assert await keys_examined(START + 2 * LIMIT, None) >= START


async def test_pages_that_are_asked_for_at_once_are_not_all_counted_to_from_the_top(
    settings: Settings, resources: Resources, metrics: Metrics, todos: list[Todo]
):
    few_at_a_time = dataclasses.replace(settings, mongo_pool_size=4)
    repository = make_repository(few_at_a_time, resources, metrics)
    await repository.prepare(owner=PUBLIC_OWNER)
    await fill(repository, todos)
    service = make_service(repository, lambda: NOW)
    starts = list(range(0, TODOS_OF_EACH, LIMIT))
    Random(0).shuffle(starts)

    async def pages() -> None:
        asked = (
            service.page_from(PUBLIC_OWNER, start=start, limit=LIMIT, stamp="s1")
            for start in starts
        )
        await asyncio.gather(*asked)

    found = await profile(resources, pages)
    assert len(found) == len(starts)
    assert sum(entry["keysExamined"] for entry in found) < sum(starts) / 3


@pytest.mark.parametrize("is_finished", [None, False], ids=["all", "open"])
async def test_a_deep_page_costs_no_more_after_many_shallow_ones(
    resources: Resources,
    repository: MongoTodoRepository,
    todos: list[Todo],
    *,
    is_finished: bool | None,
):
    await fill(repository, todos)
    service = make_service(repository, lambda: NOW)
    query = TodoQuery(owner=PUBLIC_OWNER, limit=LIMIT, is_finished=is_finished)
    newest_first = [todo for todo in todos[::-1] if is_finished in (None, todo.is_finished)]

    async def page_after(depth: int) -> None:
        await service.page(replace(query, after=position_of(newest_first[depth])))

    for depth in range(10):  # So the planner remembers what is best near the top.
        await page_after(depth)
    for depth in (100, 400, 800):
        assert complaints(await profile(resources, lambda depth=depth: page_after(depth))) == []


@pytest.mark.parametrize("empty", [False, True], ids=["with work", "without"])
async def test_adoption_finds_its_documents_by_an_index(
    resources: Resources,
    repository: MongoTodoRepository,
    todos: list[Todo],
    monkeypatch: pytest.MonkeyPatch,
    *,
    empty: bool,
):
    # Small, since the profiler leaves long commands out.
    monkeypatch.setattr(adoption, "_BATCH_DOCUMENTS", 120)
    await fill(repository, todos)
    if not empty:
        await resources.todos.insert_many(
            [{"content": "x", "created_at": NOW + number} for number in range(ARTICLE_DOCUMENTS)]
        )
    entries = await profile(resources, lambda: prepare(resources.todos, owner=PUBLIC_OWNER))
    assert complaints(entries) == []
    used = {"find", "findAndModify"} | (set() if empty else {"getMore", "update"})
    assert {name_of(entry) for entry in entries} == used


@pytest.mark.parametrize("index", [str(index.document["name"]) for index in INDEXES])
async def test_without_one_of_the_indexes_the_check_fails(
    resources: Resources,
    repository: MongoTodoRepository,
    watched: WatchedRepository,
    todos: list[Todo],
    index: str,
):
    await fill(repository, todos)
    await resources.todos.drop_index(index)
    shapes = make_shapes(watched, todos)
    # Those that leave the choice to the planner; a cursor's page names its index.
    pages = [shape for name, shape in shapes.items() if name.startswith(("page, first", "page_"))]
    found = [complaints(await profile(resources, shape)) for shape in pages]
    assert any(found)
