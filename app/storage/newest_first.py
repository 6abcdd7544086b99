"""Reads along the indexes of lists, from the newest todo on or from a place between."""

from collections.abc import Awaitable, Sequence
from typing import Any

from bson import MinKey, ObjectId
from pymongo import ASCENDING

from app.domain.page import Position
from app.storage.collection import Collection, Document
from app.storage.indexes import NEWEST_FIRST


def find_newest_first(
    todos: Collection, wanted: Document, *, after: Position | None, limit: int, **options: Any
) -> Awaitable[Sequence[Document]]:
    """Begin to find the documents with these values, newest first; equal times by id.

    Args:
        todos: the collection.
        wanted: the first fields of an index in their order, and their values.
        after: the place that the first document stands behind; None for the top.
        limit: the most that are found, in one answer of the server.
        options: what else `find` takes.
    """
    bounds = {} if after is None else _index_range(wanted, after)
    sort = [*((name, ASCENDING) for name in wanted), *NEWEST_FIRST]
    found = todos.find(wanted, sort=sort, limit=limit, batch_size=limit, **options, **bounds)
    return found.to_list(limit)


def _index_range(prefix: Document, after: Position) -> dict[str, Any]:
    """Return the range of an index that begins behind a place in a list and ends with the list.

    Its first key is the next that an id could have, for the bound itself belongs to the range.
    Named key by key and not left to the planner, which may remember a plan from the top of the
    list that walks to a deep place, or walk through all todos of one instant.
    """
    return {
        "hint": [*((name, ASCENDING) for name in prefix), *NEWEST_FIRST],
        "min": {**prefix, "created_at": after.created_at, "_id": _id_before(after.id)},
        "max": {**prefix, "created_at": MinKey(), "_id": MinKey()},
    }


def _id_before(todo_id: str) -> ObjectId | MinKey:
    number = int(todo_id, 16)
    return ObjectId(f"{number - 1:024x}") if number else MinKey()
