"""Whose a todo is, and what names none."""

import pytest
from repository_calls import (
    FINISH,
    KNOWN_ID,
    LATER,
    OWNER,
    STRANGER,
    Repository,
    add,
    operations_asked,
    replace_id,
)

from app.domain.page import TodoQuery
from app.domain.todo import UNCONDITIONAL, RevCondition, Todo
from app.errors import TodoNotFound
from app.metrics import Metrics

pytestmark = pytest.mark.gen_test


async def test_a_stranger_can_neither_see_nor_change_nor_delete_a_todo(repository: Repository):
    todo = await add(repository)
    with pytest.raises(TodoNotFound):
        await repository.get(STRANGER, todo.id)
    for condition in (UNCONDITIONAL, RevCondition(any_of=frozenset({9}))):
        with pytest.raises(TodoNotFound):
            await repository.update(STRANGER, todo.id, FINISH, condition=condition, now=LATER)
        with pytest.raises(TodoNotFound):
            await repository.delete(STRANGER, todo.id, condition=condition)
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


async def test_an_id_that_was_never_given_out_names_no_todo(repository: Repository):
    with pytest.raises(TodoNotFound):
        await repository.get(OWNER, KNOWN_ID)
    with pytest.raises(TodoNotFound):
        await repository.update(OWNER, KNOWN_ID, FINISH, condition=UNCONDITIONAL, now=LATER)
    with pytest.raises(TodoNotFound):
        await repository.delete(OWNER, KNOWN_ID, condition=UNCONDITIONAL)
