"""The indexes, declared once; `app.storage.preparation` creates them at start."""

from pymongo import ASCENDING, DESCENDING, IndexModel

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
