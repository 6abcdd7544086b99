"""Reads that may be late: whole, one owner's, and from an index."""

import dataclasses
from typing import Any

import pytest
from many_todos import TODOS_OF_EACH, fill, make_todos
from profiler import complaints, name_of, owners_of, profile

from app.bootstrap import make_late_reads
from app.domain.statistics import Statistics
from app.domain.todo import PUBLIC_OWNER, Todo
from app.errors import StorageUnavailable
from app.metrics import Metrics
from app.resources import Resources, open_resources
from app.settings import Settings
from app.storage import late_reads
from app.storage.late_reads import LateReads
from app.storage.todos import MongoTodoRepository

pytestmark = pytest.mark.gen_test(timeout=30)

BATCH = 300


@pytest.fixture
def reads(
    settings: Settings, resources: Resources, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> LateReads:
    # Small, since the profiler leaves long commands out.
    monkeypatch.setattr(late_reads, "_BATCH_TODOS", BATCH)
    return make_late_reads(settings, resources, metrics)


async def all_of(reads: LateReads) -> list[Todo]:
    return [todo async for batch in reads.batches(PUBLIC_OWNER) for todo in batch]


async def test_all_todos_of_an_owner_come_once_in_the_order_of_their_ids(
    repository: MongoTodoRepository, reads: LateReads
):
    todos = make_todos(PUBLIC_OWNER)
    await fill(repository, todos)
    assert await all_of(reads) == sorted(todos, key=lambda todo: todo.id)


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
    await repository.add_many(make_todos(PUBLIC_OWNER))
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


@pytest.mark.parametrize("read", ["batches", "statistics"])
async def test_a_mongodb_that_is_away_is_storage_unavailable(
    settings: Settings, metrics: Metrics, expect_log: Any, read: str
):
    expect_log("answering 503")
    hasty = dataclasses.replace(settings, mongo_operation_seconds=0.2)
    nowhere = "mongodb://127.0.0.1:1/todo"
    async with open_resources(hasty, mongo_uri=nowhere, redis_url=None) as resources:
        reads = make_late_reads(hasty, resources, metrics)
        with pytest.raises(StorageUnavailable):
            await (all_of(reads) if read == "batches" else reads.statistics(PUBLIC_OWNER))
