"""Reads that may be late: whole, one owner's, and from an index."""

import dataclasses
import json
import math
from typing import Any

import pytest
from bson import Decimal128
from bson.datetime_ms import DatetimeMS
from many_todos import NOW, TODOS_OF_EACH, fill, make_todos
from profiler import complaints, name_of, owners_of, profile
from pymongo.read_preferences import SecondaryPreferred

from app.bootstrap import encode_statistics, make_late_reads
from app.domain.statistics import Statistics
from app.domain.todo import PUBLIC_OWNER, Todo
from app.errors import StorageUnavailable, StorageUnusable
from app.metrics import Metrics
from app.resources import Resources, open_resources
from app.settings import Settings
from app.storage import late_reads
from app.storage.collection import Document
from app.storage.documents import document_from_todo
from app.storage.late_reads import LateReads
from app.storage.todos import MongoTodoRepository

pytestmark = pytest.mark.gen_test

BATCH = 300
MISSING = object()

ODD: dict[str, Document] = {
    "no finished_at": {"finished_at": MISSING},
    "no content": {"content": MISSING},
    "neither open nor finished": {"is_finished": None},
    "made at no number": {"created_at": math.nan},
    "made beyond all years": {"created_at": 1e18},
    "made at a decimal": {"created_at": Decimal128("5")},
    "made at two times": {"created_at": [5.0, 6.0]},
    "changed before all years": {"updated_at": -1e12},
    "a date beyond Python's": {"content": DatetimeMS(2**60)},
    "an id of another type": {"_id": "6740a3c2e1b4f0a1b2c3d4e5"},
}
"""What may lie in a collection that others write to as well; what is changed of a todo."""

NO_TIMES = [None, math.nan, math.inf, 1e18, -1e18, Decimal128("1e-400"), "5", [NOW - 1.0]]

PREFERENCES = {
    "none": ("", SecondaryPreferred(max_staleness=120)),
    "tags": (
        "&readPreference=nearest&readPreferenceTags=dc:east&readPreferenceTags=",
        SecondaryPreferred([{"dc": "east"}, {}], max_staleness=120),
    ),
    "a staleness": (
        "&readPreference=secondary&maxStalenessSeconds=200",
        SecondaryPreferred(max_staleness=200),
    ),
}


@pytest.fixture
def reads(
    settings: Settings, resources: Resources, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> LateReads:
    # Small, since the profiler leaves long commands out.
    monkeypatch.setattr(late_reads, "_BATCH_TODOS", BATCH)
    return make_late_reads(settings, resources, metrics)


async def store_changed(resources: Resources, changes: Document) -> None:
    """Store a todo of which some fields are others, or are missing."""
    (todo, *_) = make_todos(PUBLIC_OWNER)
    document = {**document_from_todo(todo), "is_finished": False, **changes}
    await resources.todos.insert_one(
        {name: value for name, value in document.items() if value is not MISSING}
    )


async def all_of(reads: LateReads) -> list[Todo]:
    return [todo async for batch in reads.batches(PUBLIC_OWNER) for todo in batch]


async def test_all_todos_of_an_owner_come_once_in_the_order_of_the_lists(
    repository: MongoTodoRepository, reads: LateReads
):
    todos = make_todos(PUBLIC_OWNER)
    await fill(repository, todos)
    in_order = sorted(todos, key=lambda todo: (todo.created_at, todo.id), reverse=True)
    assert await all_of(reads) == in_order


async def test_an_owner_without_todos_has_none(repository: MongoTodoRepository, reads: LateReads):
    await repository.add_many(make_todos("second"))
    assert await all_of(reads) == []
    nothing = Statistics(open=0, finished=0, oldest=None, newest=None)
    assert await reads.statistics(PUBLIC_OWNER) == nothing


async def test_the_statistics_are_those_of_the_owners_todos(
    repository: MongoTodoRepository, reads: LateReads
):
    todos = make_todos(PUBLIC_OWNER)
    await fill(repository, todos)
    statistics = await reads.statistics(PUBLIC_OWNER)
    assert statistics == Statistics(
        open=sum(not todo.is_finished for todo in todos),
        finished=sum(todo.is_finished for todo in todos),
        oldest=todos[0].created_at,
        newest=todos[-1].created_at,
    )
    assert statistics.total == TODOS_OF_EACH


async def test_batches_look_only_at_what_they_return_and_name_the_owner(
    resources: Resources, repository: MongoTodoRepository, reads: LateReads
):
    await fill(repository, make_todos(PUBLIC_OWNER))
    entries = await profile(resources, lambda: all_of(reads))
    assert len(entries) == TODOS_OF_EACH // BATCH + 2
    assert complaints(entries) == []
    assert all(owners_of(entry) == {PUBLIC_OWNER} for entry in entries)


async def test_statistics_look_at_no_document_and_name_the_owner(
    resources: Resources, repository: MongoTodoRepository, reads: LateReads
):
    await fill(repository, make_todos(PUBLIC_OWNER))
    (entry,) = await profile(resources, lambda: reads.statistics(PUBLIC_OWNER))
    assert name_of(entry) == "aggregate"
    assert entry["docsExamined"] == 0
    assert entry["keysExamined"] <= TODOS_OF_EACH + 1
    assert owners_of(entry) == {PUBLIC_OWNER}


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
async def test_a_document_that_is_no_todo_is_named(
    resources: Resources, reads: LateReads, odd: Document
):
    await store_changed(resources, odd)
    (document,) = await resources.todos.find({}, {"_id": True}).to_list()
    with pytest.raises(StorageUnusable) as told:
        await all_of(reads)
    assert repr(document["_id"]) in str(told.value)


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
async def test_a_document_that_is_no_todo_is_counted_all_the_same(
    resources: Resources, reads: LateReads, odd: Document
):
    await store_changed(resources, odd)
    assert (await reads.statistics(PUBLIC_OWNER)).open == 1


@pytest.mark.parametrize("odd", NO_TIMES, ids=repr)
async def test_what_is_no_time_is_neither_the_oldest_nor_the_newest(
    resources: Resources, repository: MongoTodoRepository, reads: LateReads, odd: object
):
    todos = make_todos(PUBLIC_OWNER)
    await repository.add_many(todos)
    await store_changed(resources, {"created_at": odd})
    statistics = await reads.statistics(PUBLIC_OWNER)
    assert (statistics.oldest, statistics.newest) == (todos[0].created_at, todos[-1].created_at)
    json.loads(encode_statistics(statistics))


@pytest.mark.parametrize(("asked", "expected"), PREFERENCES.values(), ids=PREFERENCES)
async def test_the_tags_and_the_staleness_of_the_address_are_those_of_late_reads(
    settings: Settings,
    mongo_uri: str,
    metrics: Metrics,
    asked: str,
    expected: SecondaryPreferred,
):
    async with open_resources(settings, mongo_uri=mongo_uri + asked, redis_url=None) as resources:
        assert make_late_reads(settings, resources, metrics).members == expected


@pytest.mark.parametrize("are_there", [False, True])
async def test_documents_without_an_owner_are_found_from_an_index(
    resources: Resources, repository: MongoTodoRepository, reads: LateReads, *, are_there: bool
):
    await fill(repository, make_todos(PUBLIC_OWNER))
    if are_there:
        await resources.todos.insert_many({"content": "x", "created_at": NOW} for _ in range(300))
    found = []

    async def ask() -> None:
        found.append(await reads.has_ownerless())

    entries = await profile(resources, ask)
    assert complaints(entries) == []
    assert found == [are_there]


@pytest.mark.parametrize("read", ["batches", "statistics"])
async def test_a_mongodb_that_is_away_is_storage_unavailable_with_the_drivers_reason(
    settings: Settings, metrics: Metrics, expect_log: Any, read: str
):
    expect_log("answering 503")
    hasty = dataclasses.replace(settings, mongo_operation_seconds=0.2)
    nowhere = "mongodb://127.0.0.1:1/todo"
    async with open_resources(hasty, mongo_uri=nowhere, redis_url=None) as resources:
        reads = make_late_reads(hasty, resources, metrics)
        with pytest.raises(StorageUnavailable) as told:
            await (all_of(reads) if read == "batches" else reads.statistics(PUBLIC_OWNER))
    assert "127.0.0.1:1: [Errno 111] Connection refused" in str(told.value.__cause__)
