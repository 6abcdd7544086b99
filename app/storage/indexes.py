"""The indexes, declared once and created at start."""

import pymongo
from pymongo import ASCENDING, DESCENDING, IndexModel

from app.storage.collection import Collection

NEWEST_FIRST = [("created_at", DESCENDING), ("_id", DESCENDING)]
"""The order of every list; the id settles equal times, so no todo is shown twice or never."""

INDEXES = (
    # Lists, whole and by state. Every query carries the owner.
    IndexModel([("owner", ASCENDING), *NEWEST_FIRST], name="owner_newest_first"),
    IndexModel(
        [("owner", ASCENDING), ("is_finished", ASCENDING), *NEWEST_FIRST],
        name="owner_state_newest_first",
    ),
)

# Building them on a large collection that somebody else filled takes minutes, not the
# seconds that an operation for a request may take.
_BUILD_SECONDS = 3600


async def create_indexes(collection: Collection) -> None:
    """Create the indexes that are missing; those that exist cost nothing."""
    with pymongo.timeout(_BUILD_SECONDS):
        await collection.create_indexes(list(INDEXES))
