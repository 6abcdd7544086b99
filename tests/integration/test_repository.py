"""Todos are stored as they were given, in documents as documented."""

import pytest
from bson import ObjectId
from pymongo.errors import BulkWriteError
from repository_calls import FINISH, LATER, NOW, OWNER, Repository, add, replace_id, update

from app.domain.page import TodoQuery
from app.domain.todo import MAX_CONTENT_CHARACTERS, Todo, TodoChanges
from app.resources import Resources

pytestmark = pytest.mark.gen_test


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
    assert list(await repository.list(TodoQuery(owner=OWNER, limit=9))) == todos[::-1]


async def test_todos_that_are_there_already_are_a_fault_and_the_others_are_stored(
    repository: Repository,
):
    there = await add(repository)
    other = replace_id(there)
    with pytest.raises(BulkWriteError):
        await repository.add_many([there, other])
    assert await repository.get(OWNER, other.id) == other


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
