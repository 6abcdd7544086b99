"""The key that signs cursors, which all processes on a database share."""

import secrets

from pymongo import ReturnDocument

from app.storage.collection import Collection

_COLLECTION = "keys"
_NAME = "cursors"
_KEY_BYTES = 32
"""Half of the longest that BLAKE2b takes, and all that 256 bits of safety need (RFC 7693)."""


async def shared_key(todos: Collection) -> bytes:
    """Return the database's key; the first process that asks makes it, for good."""
    document = await todos.database[_COLLECTION].find_one_and_update(
        {"_id": _NAME},
        {"$setOnInsert": {"key": secrets.token_bytes(_KEY_BYTES)}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    return bytes(document["key"])
