"""Todos as MongoDB documents."""

from typing import Any

from bson import ObjectId
from msgspec import UNSET, ValidationError, convert

from app.domain.todo import Todo, TodoChanges, require_todo_id
from app.errors import StorageUnusable

# What RFC 3339 can write: from the year 1 to the year 9999.
_FIRST_SECOND = -62_135_596_800
_LAST_SECOND = 253_402_300_799


def todo_from_document(document: dict[str, Any]) -> Todo:
    """Return the todo that a document holds."""
    finished_at = document["finished_at"]
    return Todo(
        id=str(document["_id"]),
        owner=document["owner"],
        content=document["content"],
        created_at=float(document["created_at"]),
        is_finished=document["is_finished"],
        finished_at=None if finished_at is None else float(finished_at),
        updated_at=float(document["updated_at"]),
        rev=document["rev"],
    )


def showable_todo(document: dict[str, Any]) -> Todo:
    """Return the todo that a document holds, where nobody can vouch for the document.

    Raises:
        StorageUnusable: what it holds is no todo that can be shown.
    """
    named = document["_id"]
    fields = {**document, "id": str(named) if isinstance(named, ObjectId) else None}
    try:
        todo = convert(fields, Todo)
        _require_times(todo)
    except (ValidationError, ValueError) as error:
        sentence = f"the document with _id {named!r} in MongoDB is no todo: {error}"
        raise StorageUnusable(sentence) from error
    return todo


def _require_times(todo: Todo) -> None:
    for seconds in (todo.created_at, todo.updated_at, todo.finished_at):
        if seconds is not None and not _FIRST_SECOND <= seconds <= _LAST_SECOND:
            raise ValueError(f"{seconds} is no time between the years 1 and 9999")


def is_showable_time(field: str) -> dict[str, Any]:
    """Return the expression that asks whether a field holds a time that a todo can have.

    Only numbers lie between two numbers in BSON's order; that of no number is before all others.
    """
    return {"$and": [{"$gte": [field, _FIRST_SECOND]}, {"$lte": [field, _LAST_SECOND]}]}


def document_from_todo(todo: Todo) -> dict[str, Any]:
    """Return the document that holds a todo."""
    return {
        "_id": ObjectId(todo.id),
        "owner": todo.owner,
        "content": todo.content,
        "created_at": todo.created_at,
        "is_finished": todo.is_finished,
        "finished_at": todo.finished_at,
        "updated_at": todo.updated_at,
        "rev": todo.rev,
    }


def object_id(todo_id: str) -> ObjectId:
    """Return the id as MongoDB stores it, or raise `TodoNotFound` if it cannot be one of ours.

    ``ObjectId`` itself also takes upper case, white space and raw bytes.
    """
    require_todo_id(todo_id)
    return ObjectId(todo_id)


def update_of(changes: TodoChanges, now: float) -> list[dict[str, Any]]:
    """Return the update (an aggregation pipeline) that applies the changes.

    The server compares before it writes, so one round trip decides whether anything changes:
    only then do ``rev`` and ``updated_at`` move. Values stand under ``$literal``: a text
    that begins with a dollar sign is a text, never a field path.
    """
    wanted = {
        name: {"$literal": value}
        for name, value in (("content", changes.content), ("is_finished", changes.is_finished))
        if value is not UNSET
    }
    changed = {"$or": [{"$ne": [f"${name}", value]} for name, value in wanted.items()]}
    fields: dict[str, Any] = {
        **wanted,
        "updated_at": {"$cond": [changed, now, "$updated_at"]},
        "rev": {"$cond": [changed, {"$add": ["$rev", 1]}, "$rev"]},
    }
    if changes.is_finished is True:
        fields["finished_at"] = {"$cond": ["$is_finished", "$finished_at", now]}
    elif changes.is_finished is False:
        fields["finished_at"] = None
    return [{"$set": fields}]
