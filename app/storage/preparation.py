"""What a collection needs before requests are served from it."""

import pymongo

from app.storage.adoption import adopt_ownerless
from app.storage.collection import Collection
from app.storage.cursor_key import shared_key
from app.storage.indexes import INDEXES
from app.storage.operations import refusals, storage_errors

# Building them on a large collection that somebody else filled takes minutes, not the
# seconds that an operation for a request may take.
_BUILD_SECONDS = 3600


async def prepare(collection: Collection, *, owner: str) -> bytes:
    """Create missing indexes and adopt documents without an owner; may be repeated.

    Returns:
        The key that signs the database's cursors.

    Raises:
        StorageUnavailable: MongoDB is away; what was done stays done.
        StorageUnusable: it refuses, say the password or an index that clashes with ours.
    """
    with refusals(), storage_errors():
        # The building of indexes may take long, and its deadline covers the search for a
        # server, too: whether there is one is asked before, within an operation's deadline.
        await collection.database.command("ping")
        with pymongo.timeout(_BUILD_SECONDS):
            await collection.create_indexes(list(INDEXES))
        await adopt_ownerless(collection, owner=owner)
        return await shared_key(collection)
