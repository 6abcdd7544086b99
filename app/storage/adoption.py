"""Takes in the documents of the founding article's code, which have no owner."""

import logging
from typing import Any

from app.storage.collection import Collection

log = logging.getLogger(__name__)

# Small enough that one batch is far within the deadline of an operation.
_BATCH_DOCUMENTS = 5000

# The last second that RFC 3339 can write, that of the year 9999.
_LAST_SECOND = 253_402_300_799

# What is asked of a field is also met by a list that holds a value which meets it.
_NO_LIST = {"$not": {"$type": "array"}}

# What the founding article's code stores, and nothing else that may lie in the collection.
# `None` matches a missing field too, and is a range of the indexes that begin with owner.
_OWNERLESS = {
    "owner": None,
    "_id": {"$type": "objectId"},
    "content": {"$type": "string", **_NO_LIST},
    "created_at": {"$gte": 0, "$lte": _LAST_SECOND, **_NO_LIST},
}


async def adopt_ownerless(collection: Collection, *, owner: str) -> int:
    """Give every document without an owner to ``owner`` and add the fields it lacks.

    Works in batches, may run in several processes at once, and may be cut off anywhere: what is
    adopted stays so, the rest is found the next time.

    Returns:
        The number of documents adopted.
    """
    adopted = 0
    while True:
        documents = await collection.find(_OWNERLESS, {"_id": 1}, limit=_BATCH_DOCUMENTS).to_list(
            None
        )
        if not documents:
            if adopted:
                log.info("adopted %d documents without an owner", adopted)
            return adopted
        if not adopted:
            log.info("adopting documents without an owner: this may take a while")
        result = await collection.update_many(
            {"_id": {"$in": [document["_id"] for document in documents]}, "owner": None},
            [{"$set": _missing_fields(owner)}],
        )
        adopted += result.modified_count


def _missing_fields(owner: str) -> dict[str, Any]:
    created_at = _seconds("$created_at")
    is_finished = {"$eq": ["$is_finished", True]}
    has_time = {"$and": [is_finished, _is_time("$finished_at")]}
    finished_at = {"$cond": [has_time, _seconds("$finished_at"), None]}
    return {
        "owner": {"$literal": owner},
        "created_at": created_at,
        "is_finished": is_finished,
        "finished_at": finished_at,
        "updated_at": {"$max": [created_at, finished_at]},
        "rev": 1,
    }


def _seconds(field: str) -> dict[str, Any]:
    # Of the times that are let in only a decimal nearer to zero than any double is an error.
    return {"$convert": {"input": field, "to": "double", "onError": 0.0}}


def _is_time(field: str) -> dict[str, Any]:
    return {
        "$and": [
            # Only numbers lie between two numbers in BSON's order.
            {"$gte": [field, 0]},
            {"$lte": [field, _LAST_SECOND]},
        ]
    }
