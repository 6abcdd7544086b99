"""Short ways to call the repository, for tests of what it promises."""

from typing import Any

from bson import ObjectId

from app.domain.todo import (
    PUBLIC_OWNER,
    UNCONDITIONAL,
    RevCondition,
    Todo,
    TodoChanges,
    TodoDraft,
    new_todo,
)
from app.metrics import Metrics
from app.resources import Resources
from app.storage.todos import MongoTodoRepository

OWNER = PUBLIC_OWNER
STRANGER = "somebody else"
KNOWN_ID = "6740a3c2e1b4f0a1b2c3d4e5"
NOW = 1_700_000_000.125
LATER = NOW + 60
FINISH = TodoChanges(is_finished=True)
REOPEN = TodoChanges(is_finished=False)
Repository = MongoTodoRepository


async def add(
    repository: Repository, content: str = "buy milk", *, owner: str = OWNER, now: float = NOW
) -> Todo:
    todo = new_todo(TodoDraft(content), todo_id=repository.new_id(), owner=owner, now=now)
    assert await repository.add_each([todo]) == [None]
    return todo


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


def replace_id(todo: Todo) -> Todo:
    values = {name: getattr(todo, name) for name in todo.__struct_fields__}
    return Todo(**{**values, "id": str(ObjectId())})


def operations_asked(metrics: Metrics) -> list[str]:
    lines = metrics.render().decode().splitlines()
    return [line for line in lines if line.startswith("db_client_operation_duration_seconds_count")]
