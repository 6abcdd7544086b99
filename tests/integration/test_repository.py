"""What `TodoRepository` promises, on a real MongoDB."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from bson import ObjectId
from clock import Clock
from pymongo.errors import BulkWriteError

from app.domain.page import Position, TodoQuery
from app.domain.todo import (
    MAX_CONTENT_CHARACTERS,
    PUBLIC_OWNER,
    UNCONDITIONAL,
    RevCondition,
    Todo,
    TodoChanges,
    TodoDraft,
)
from app.errors import RevConflict, StorageUnavailable, TodoNotFound
from app.metrics import Metrics
from app.resources import Resources, open_resources
from app.settings import Settings
from app.storage.todos import MongoTodoRepository

pytestmark = pytest.mark.gen_test

OWNER = PUBLIC_OWNER
STRANGER = "somebody else"
DRAFT = TodoDraft("buy milk")
NOW = 1_700_000_000.125
LATER = NOW + 60
FINISH = TodoChanges(is_finished=True)
REOPEN = TodoChanges(is_finished=False)
KNOWN_ID = "6740a3c2e1b4f0a1b2c3d4e5"

Repository = MongoTodoRepository


async def add(
    repository: Repository, content: str = "buy milk", *, owner: str = OWNER, now: float = NOW
) -> Todo:
    return await repository.add(owner, TodoDraft(content), now=now)


async def update(
    repository: Repository,
    todo: Todo,
    changes: TodoChanges,
    *,
    condition: RevCondition = UNCONDITIONAL,
    now: float = LATER,
) -> Todo:
    return await repository.update(OWNER, todo.id, changes, condition=condition, now=now)


async def stored(resources: Resources, todo_id: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = await resources.todos.find_one({"_id": ObjectId(todo_id)})
    return found


# Adding and reading.


async def test_a_new_todo_is_unfinished_at_its_first_revision(repository: Repository):
    todo = await add(repository)
    assert ObjectId.is_valid(todo.id)
    assert todo == Todo(
        id=todo.id,
        owner=OWNER,
        content="buy milk",
        created_at=NOW,
        is_finished=False,
        finished_at=None,
        updated_at=NOW,
        rev=1,
    )


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("买牛奶", id="Chinese"),
        pytest.param("👩‍👩‍👧‍👦 e\u0301", id="joined and combining"),
        pytest.param("$is_finished", id="a field path"),
        pytest.param("$$ROOT", id="a variable"),
        pytest.param("a\tb\r\nc", id="white space"),
        pytest.param("𝄞" * MAX_CONTENT_CHARACTERS, id="longest"),
    ],
)
async def test_content_is_kept_to_the_letter_when_added_and_when_changed(
    repository: Repository, content: str
):
    added = await add(repository, content)
    assert (await repository.get(OWNER, added.id)).content == content
    changed = await update(repository, await add(repository), TodoChanges(content=content))
    assert changed.content == content
    assert await repository.get(OWNER, changed.id) == changed


async def test_whole_todos_are_stored_with_their_ids_and_times(repository: Repository):
    todos = [
        Todo(
            id=str(ObjectId()),
            owner=OWNER,
            content=f"todo {number}",
            created_at=NOW + number,
            is_finished=True,
            finished_at=LATER,
            updated_at=LATER,
            rev=3,
        )
        for number in range(3)
    ]
    await repository.add_many(todos)
    assert list(await repository.list_from(OWNER, start=0, limit=9)) == todos[::-1]


async def test_todos_that_are_there_already_are_a_fault_and_the_others_are_stored(
    repository: Repository,
):
    there = await add(repository)
    other = replace_id(there)
    with pytest.raises(BulkWriteError):
        await repository.add_many([there, other])
    assert await repository.get(OWNER, other.id) == other


def replace_id(todo: Todo) -> Todo:
    values = {name: getattr(todo, name) for name in todo.__struct_fields__}
    return Todo(**{**values, "id": str(ObjectId())})


async def test_a_document_holds_exactly_the_documented_fields_in_their_types(
    repository: Repository, resources: Resources
):
    unfinished = await add(repository)
    finished = await update(repository, await add(repository), FINISH)
    fields = ["owner", "content", "created_at", "is_finished", "finished_at", "updated_at", "rev"]
    types = {name: {"$type": f"${name}"} for name in fields}
    found = await resources.todos.aggregate(
        [{"$set": {**types, "_id": {"$toString": "$_id"}, "id_type": {"$type": "$_id"}}}]
    ).to_list(None)
    common = {
        "owner": "string",
        "content": "string",
        "created_at": "double",
        "is_finished": "bool",
        "updated_at": "double",
        "rev": "int",
        "id_type": "objectId",
    }
    assert {document.pop("_id"): document for document in found} == {
        unfinished.id: {**common, "finished_at": "null"},
        finished.id: {**common, "finished_at": "double"},
    }


# Durability.


async def test_a_write_is_acknowledged_by_the_majority_and_in_the_journal(resources: Resources):
    assert resources.todos.write_concern.document == {"w": "majority", "j": True}


async def test_the_write_concern_is_the_one_that_was_set(settings: Settings, mongo_uri: str):
    weaker = replace(settings, mongo_write_concern="1", mongo_journal=False)
    async with open_resources(weaker, mongo_uri=mongo_uri, redis_url=None) as resources:
        assert resources.todos.write_concern.document == {"w": 1, "j": False}


async def test_the_driver_gives_up_when_the_gate_does(resources: Resources, settings: Settings):
    # Or the threads of operations given up would wait on for a server that never answers.
    client = resources.todos.database.client.delegate
    assert client.options.timeout == settings.mongo_operation_seconds


async def test_a_closed_client_is_storage_unavailable(
    repository: Repository, resources: Resources, expect_log: Any
):
    expect_log("answering 503")
    resources.todos.database.client.close()
    with pytest.raises(StorageUnavailable):
        await repository.get(OWNER, KNOWN_ID)


# Owners and ids.


async def test_a_stranger_can_neither_see_nor_change_nor_delete_a_todo(repository: Repository):
    todo = await add(repository)
    with pytest.raises(TodoNotFound):
        await repository.get(STRANGER, todo.id)
    for condition in (UNCONDITIONAL, RevCondition(any_of=frozenset({9}))):
        with pytest.raises(TodoNotFound):
            await repository.update(STRANGER, todo.id, FINISH, condition=condition, now=LATER)
        with pytest.raises(TodoNotFound):
            await repository.delete(STRANGER, todo.id, condition=condition)
    assert await repository.list_from(STRANGER, start=0, limit=9) == []
    assert await repository.list(TodoQuery(owner=STRANGER, limit=9)) == []
    assert await repository.get(OWNER, todo.id) == todo


STRANGE_IDS = {
    "empty": "",
    "upper case": KNOWN_ID.upper(),
    "mixed case": KNOWN_ID[:-1] + "E",
    "space before": " " + KNOWN_ID,
    "space after": KNOWN_ID + " ",
    "space inside": KNOWN_ID[:12] + " " + KNOWN_ID[13:],
    "line feed after": KNOWN_ID + "\n",
    "zero after": KNOWN_ID + "\0",
    "twelve characters": "abcdefghijkl",
    "twelve wide characters": "十二字的编号不是编号啊啊",
    "too short": KNOWN_ID[:-1],
    "too long": KNOWN_ID + "0",
    "twice": KNOWN_ID * 2,
    "not hexadecimal": "g" * 24,
    "full-width digits": "６" * 24,
    "Arabic digits": "٣" * 24,
    "prefixed": "0x" + KNOWN_ID[2:],
    "an operator": "$gt",
    "a document": '{"$oid": "' + KNOWN_ID + '"}',
    "half a surrogate pair": "\ud800" * 24,
    "replacement characters": "\ufffd" * 24,
    "very long": "a" * 100_000,
}


@pytest.mark.parametrize("todo_id", STRANGE_IDS.values(), ids=STRANGE_IDS)
async def test_an_id_in_any_other_form_names_no_todo_and_asks_nobody(
    repository: Repository, metrics: Metrics, todo_id: str
):
    known = replace_id(await add(repository))
    values = {name: getattr(known, name) for name in known.__struct_fields__}
    await repository.add_many([Todo(**{**values, "id": KNOWN_ID})])
    asked_before = operations_asked(metrics)
    with pytest.raises(TodoNotFound):
        await repository.get(OWNER, todo_id)
    with pytest.raises(TodoNotFound):
        await repository.update(OWNER, todo_id, FINISH, condition=UNCONDITIONAL, now=LATER)
    with pytest.raises(TodoNotFound):
        await repository.delete(OWNER, todo_id, condition=UNCONDITIONAL)
    assert operations_asked(metrics) == asked_before


def operations_asked(metrics: Metrics) -> list[str]:
    lines = metrics.render().decode().splitlines()
    return [line for line in lines if line.startswith("db_client_operation_duration_seconds_count")]


async def test_an_id_that_was_never_given_out_names_no_todo(repository: Repository):
    with pytest.raises(TodoNotFound):
        await repository.get(OWNER, KNOWN_ID)
    with pytest.raises(TodoNotFound):
        await repository.update(OWNER, KNOWN_ID, FINISH, condition=UNCONDITIONAL, now=LATER)
    with pytest.raises(TodoNotFound):
        await repository.delete(OWNER, KNOWN_ID, condition=UNCONDITIONAL)


# Lists.


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
    assert list(await repository.list_from(OWNER, start=0, limit=100)) == todos


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


@pytest.mark.parametrize(("start", "limit"), [(0, 3), (2, 3), (6, 3), (7, 3), (10_000, 10)])
async def test_a_list_can_start_anywhere(
    repository: Repository, clock: Clock, start: int, limit: int
):
    todos = await add_list(repository, clock)
    found = await repository.list_from(OWNER, start=start, limit=limit)
    assert list(found) == todos[start : start + limit]


# Changing.


async def test_a_change_raises_the_revision_and_leaves_the_rest_alone(repository: Repository):
    todo = await add(repository)
    changed = await update(repository, todo, TodoChanges(content="buy oats"))
    assert changed == Todo(
        id=todo.id,
        owner=OWNER,
        content="buy oats",
        created_at=NOW,
        is_finished=False,
        finished_at=None,
        updated_at=LATER,
        rev=2,
    )
    assert await repository.get(OWNER, todo.id) == changed


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(TodoChanges(), id="nothing"),
        pytest.param(TodoChanges(content="buy milk"), id="the same content"),
        pytest.param(TodoChanges(is_finished=False), id="the same state"),
        pytest.param(TodoChanges(content="buy milk", is_finished=False), id="both the same"),
    ],
)
async def test_changes_that_change_nothing_keep_revision_and_time(
    repository: Repository, resources: Resources, changes: TodoChanges
):
    todo = await add(repository)
    before = await stored(resources, todo.id)
    assert await update(repository, todo, changes) == todo
    assert await stored(resources, todo.id) == before


async def test_finishing_notes_the_time(repository: Repository):
    finished = await update(repository, await add(repository), FINISH)
    assert (finished.is_finished, finished.finished_at, finished.rev) == (True, LATER, 2)


async def test_finishing_again_keeps_the_first_time_and_the_revision(repository: Repository):
    finished = await update(repository, await add(repository), FINISH)
    assert await update(repository, finished, FINISH, now=LATER + 60) == finished


async def test_finishing_again_with_new_content_keeps_the_first_time(repository: Repository):
    finished = await update(repository, await add(repository), FINISH)
    both = TodoChanges(content="buy oats", is_finished=True)
    changed = await update(repository, finished, both, now=LATER + 60)
    assert (changed.finished_at, changed.updated_at, changed.rev) == (LATER, LATER + 60, 3)


async def test_a_new_content_leaves_the_time_of_finishing_alone(repository: Repository):
    finished = await update(repository, await add(repository), FINISH)
    changed = await update(repository, finished, TodoChanges(content="buy oats"), now=LATER + 60)
    assert (changed.is_finished, changed.finished_at) == (True, LATER)


async def test_reopening_forgets_the_time_and_finishing_anew_notes_a_new_one(
    repository: Repository,
):
    finished = await update(repository, await add(repository), FINISH)
    reopened = await update(repository, finished, REOPEN, now=LATER + 60)
    assert (reopened.is_finished, reopened.finished_at, reopened.rev) == (False, None, 3)
    anew = await update(repository, reopened, FINISH, now=LATER + 120)
    assert (anew.finished_at, anew.rev) == (LATER + 120, 4)


# Conditions.

MET = {
    "none": UNCONDITIONAL,
    "this revision": RevCondition(any_of=frozenset({2})),
    "this among others": RevCondition(any_of=frozenset({1, 2, 99})),
    "not another": RevCondition(none_of=frozenset({1, 3})),
    "this and not another": RevCondition(any_of=frozenset({2}), none_of=frozenset({1})),
}
NOT_MET = {
    "an older revision": RevCondition(any_of=frozenset({1})),
    "a newer revision": RevCondition(any_of=frozenset({3})),
    "no revision at all": RevCondition(any_of=frozenset()),
    "not this": RevCondition(none_of=frozenset({2})),
    "this and not this": RevCondition(any_of=frozenset({2}), none_of=frozenset({2})),
    "a huge revision": RevCondition(any_of=frozenset({999_999_999_999_999})),
}


@pytest.mark.parametrize("condition", MET.values(), ids=MET)
async def test_a_condition_that_is_met_lets_changes_and_deletions_pass(
    repository: Repository, condition: RevCondition
):
    changed = await update(repository, await add(repository), FINISH)
    await repository.delete(OWNER, changed.id, condition=condition)
    other = await update(repository, await add(repository), FINISH)
    assert (await update(repository, other, REOPEN, condition=condition)).rev == 3


@pytest.mark.parametrize("condition", NOT_MET.values(), ids=NOT_MET)
async def test_a_condition_that_is_not_met_changes_nothing_and_shows_the_todo(
    repository: Repository, resources: Resources, condition: RevCondition
):
    todo = await update(repository, await add(repository), FINISH)
    before = await stored(resources, todo.id)
    with pytest.raises(RevConflict) as refused:
        await update(repository, todo, REOPEN, condition=condition)
    assert refused.value.current == todo
    with pytest.raises(RevConflict) as refused:
        await repository.delete(OWNER, todo.id, condition=condition)
    assert refused.value.current == todo
    assert await stored(resources, todo.id) == before


async def test_of_two_changes_to_one_revision_exactly_one_wins(repository: Repository):
    for _ in range(20):
        todo = await add(repository)
        first, second = await asyncio.gather(
            *(
                update(
                    repository,
                    todo,
                    TodoChanges(content=content),
                    condition=RevCondition(any_of=frozenset({1})),
                )
                for content in ("one", "two")
            ),
            return_exceptions=True,
        )
        winner, loser = (second, first) if isinstance(first, RevConflict) else (first, second)
        assert isinstance(winner, Todo)
        assert isinstance(loser, RevConflict)
        assert loser.current == winner == await repository.get(OWNER, todo.id)


async def test_fifty_changes_at_once_are_all_applied_one_after_the_other(repository: Repository):
    todo = await add(repository)
    changes = [TodoChanges(content=f"change {number}") for number in range(50)]
    answers = await asyncio.gather(*(update(repository, todo, change) for change in changes))
    assert sorted(answer.rev for answer in answers) == list(range(2, 52))
    for change, answer in zip(changes, answers, strict=True):
        assert answer.content == change.content
    last = max(answers, key=lambda answer: answer.rev)
    assert await repository.get(OWNER, todo.id) == last


async def test_changes_to_different_fields_at_once_are_both_kept(repository: Repository):
    for _ in range(10):
        todo = await add(repository)
        await asyncio.gather(
            update(repository, todo, TodoChanges(content="buy oats")),
            update(repository, todo, FINISH),
        )
        both = await repository.get(OWNER, todo.id)
        assert (both.content, both.is_finished, both.rev) == ("buy oats", True, 3)


# Deleting.


async def test_a_deleted_todo_is_gone_and_the_others_are_not(
    repository: Repository, resources: Resources
):
    todo, other = await add(repository), await add(repository)
    await repository.delete(OWNER, todo.id, condition=UNCONDITIONAL)
    with pytest.raises(TodoNotFound):
        await repository.get(OWNER, todo.id)
    assert await stored(resources, todo.id) is None
    assert list(await repository.list_from(OWNER, start=0, limit=9)) == [other]


async def test_of_many_deletions_at_once_exactly_one_succeeds(repository: Repository):
    todo = await add(repository)
    answers = await asyncio.gather(
        *(repository.delete(OWNER, todo.id, condition=UNCONDITIONAL) for _ in range(10)),
        return_exceptions=True,
    )
    assert answers.count(None) == 1
    assert sum(isinstance(answer, TodoNotFound) for answer in answers) == 9


async def test_a_living_server_answers_a_ping(repository: Repository):
    await repository.ping()
