"""Every query of the service is answered from an index, as the server's own profiler saw it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bson import ObjectId
from pymongo import DESCENDING

from app.domain.page import TodoQuery, encode_cursor
from app.domain.todo import PUBLIC_OWNER, RevCondition, Todo, TodoChanges, TodoDraft
from app.errors import RevConflict, TodoNotFound
from app.resources import Resources
from app.services.todos import TodoService
from app.storage import adoption
from app.storage.indexes import INDEXES
from app.storage.preparation import prepare
from app.storage.todos import MongoTodoRepository

pytestmark = pytest.mark.gen_test(timeout=30)

OWNERS = (PUBLIC_OWNER, "second", "third")
TODOS_OF_EACH = 1000
FINISHED_ONE_IN = 10
"""Few enough that a list of these which walks over all the others shows."""
SAME_TIME_AS = 7
"""So many todos share a time: the order by id must come from the index too."""
LIMIT = 10
START = 300
ARTICLE_DOCUMENTS = 250
SLACK_DOCUMENTS = SAME_TIME_AS + 2
"""A page may look at those of its place's time, and a seek at one more on each of two ranges."""
NOT_PROFILED = {"ping", "prepare"}
"""Commands that ask no collection, and one that has a test of its own."""
NOW = 1_700_000_000.0
UNKNOWN_ID = str(ObjectId())

Entry = dict[str, Any]
Shape = Callable[[], Awaitable[object]]


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


def make_todos(owner: str) -> list[Todo]:
    return [
        Todo(
            id=str(ObjectId()),
            owner=owner,
            content=f"todo {number}",
            created_at=NOW + number // SAME_TIME_AS,
            is_finished=number % FINISHED_ONE_IN == 0,
            finished_at=NOW + number if number % FINISHED_ONE_IN == 0 else None,
            updated_at=NOW + number,
            rev=1,
        )
        for number in range(TODOS_OF_EACH)
    ]


@pytest.fixture
def watched(repository: MongoTodoRepository) -> WatchedRepository:
    return WatchedRepository(repository)


@pytest.fixture
def todos() -> list[Todo]:
    return make_todos(PUBLIC_OWNER)


async def fill(repository: MongoTodoRepository, todos: list[Todo]) -> None:
    for owned in (todos, *map(make_todos, OWNERS[1:])):
        await repository.add_many(owned)


def make_shapes(watched: WatchedRepository, todos: list[Todo]) -> dict[str, Shape]:
    """Return every operation of the service in all its forms, by name."""
    service = TodoService(watched, lambda: NOW)
    unknown, known = UNKNOWN_ID, todos[500].id
    deleted = [todo.id for todo in todos[600:605]]
    shapes: dict[str, Shape] = {
        "add": lambda: service.add(PUBLIC_OWNER, TodoDraft("new")),
        "add_many": lambda: watched.add_many(make_todos("fourth")),
        "ping": watched.ping,
        "prepare": lambda: watched.prepare(owner=PUBLIC_OWNER),
        "fetch": lambda: service.fetch(PUBLIC_OWNER, known),
        "fetch, unknown": lambda: service.fetch(PUBLIC_OWNER, unknown),
        "fetch, a stranger's": lambda: service.fetch("second", known),
        "finish": lambda: service.finish(PUBLIC_OWNER, known),
        "finish, unknown": lambda: service.finish(PUBLIC_OWNER, unknown),
        "delete": lambda: service.delete(PUBLIC_OWNER, deleted[0]),
        "delete, unknown": lambda: service.delete(PUBLIC_OWNER, unknown),
    }
    for start in (0, START, TODOS_OF_EACH + 50):
        shapes[f"page_from {start}"] = lambda start=start: service.page_from(
            PUBLIC_OWNER, start=start, limit=LIMIT
        )
    for is_finished in (None, False, True):
        of_state = [todo for todo in todos if is_finished in (None, todo.is_finished)]
        query = TodoQuery(owner=PUBLIC_OWNER, limit=LIMIT, is_finished=is_finished)
        places = {"first": None, "middle": len(of_state) // 2, "last": LIMIT // 2}
        for place, index in places.items():
            cursor = None if index is None else encode_cursor(query, of_state[index])
            shapes[f"page, {place}, finished {is_finished}"] = (
                lambda is_finished=is_finished, cursor=cursor: service.page(
                    PUBLIC_OWNER, limit=LIMIT, is_finished=is_finished, cursor=cursor
                )
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


async def profile(resources: Resources, shape: Shape) -> list[Entry]:
    """Run an operation and return what the profiler wrote of it."""
    database = resources.todos.database
    # A fresh one each time: it is a ring of 1 MB, which forgets.
    await database.drop_collection("system.profile")
    await database.command("profile", 2)
    try:
        await shape()
    except (TodoNotFound, RevConflict):
        pass  # The query is what counts, also one that finds nothing.
    finally:
        await database.command("profile", 0)
    entries: list[Entry] = await database["system.profile"].find({"op": {"$ne": "none"}}).to_list()
    return [entry for entry in entries if "profile" not in entry["command"]]


QUERIES = {"find", "getMore", "update", "delete", "findAndModify", "aggregate", "count", "distinct"}


def complaints(entries: list[Entry]) -> list[str]:
    """Return what is wrong with operations that the profiler saw."""
    if not entries:
        return ["the profiler saw nothing"]
    return [complaint for entry in entries for complaint in complaints_of(entry)]


def complaints_of(entry: Entry) -> list[str]:
    command = name_of(entry)
    if command == "insert":
        return []
    if command not in QUERIES or "planSummary" not in entry:
        return [f"not understood: {entry}"]
    found = []
    if not entry["planSummary"].startswith(("IXSCAN", "IDHACK")):
        found.append(f"{command} by {entry['planSummary']}")
    if entry.get("hasSortStage"):
        found.append(f"{command} sorts in memory")
    returned = max(entry.get(name, 0) for name in ("nreturned", "nMatched", "ndeleted"))
    skipped = entry["command"].get("skip", 0)
    allowed = returned + skipped + SLACK_DOCUMENTS
    found += [
        f"{command} looks at {entry[name]} ({name}) for {returned}"
        for name in ("docsExamined", "keysExamined")
        if entry.get(name, 0) > allowed
    ]
    return found


def name_of(entry: Entry) -> str:
    # A write stands under its own name, as one entry for each of its statements.
    names = {"update": "update", "remove": "delete", "insert": "insert", "getmore": "getMore"}
    return names.get(entry["op"]) or str(next(iter(entry["command"])))


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
    assert named == public_methods(TodoService) | {"add_many", "ping", "prepare"}
    assert watched.called == public_methods(MongoTodoRepository)


@pytest.mark.parametrize("is_finished", [None, False], ids=["all", "open"])
async def test_a_deep_page_costs_no_more_after_many_shallow_ones(
    resources: Resources,
    repository: MongoTodoRepository,
    todos: list[Todo],
    *,
    is_finished: bool | None,
):
    await fill(repository, todos)
    service = TodoService(repository, lambda: NOW)
    query = TodoQuery(owner=PUBLIC_OWNER, limit=LIMIT, is_finished=is_finished)
    newest_first = [todo for todo in todos[::-1] if is_finished in (None, todo.is_finished)]

    async def page_after(depth: int) -> None:
        cursor = encode_cursor(query, newest_first[depth])
        await service.page(PUBLIC_OWNER, limit=LIMIT, is_finished=is_finished, cursor=cursor)

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
    used = {"find"} if empty else {"find", "getMore", "update"}
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
    todos: list[Todo],
    *,
    wanted: dict[str, Any],
    order: list[tuple[str, int]] | None,
    expected: str,
):
    await fill(repository, todos)
    entries = await profile(
        resources, lambda: resources.todos.find(wanted, sort=order, limit=LIMIT).to_list()
    )
    assert any(expected in complaint for complaint in complaints(entries))


async def test_the_check_catches_an_operation_that_asked_nothing(resources: Resources):
    async def idle() -> None:
        pass

    assert complaints(await profile(resources, idle)) == ["the profiler saw nothing"]
