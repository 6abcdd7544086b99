"""Whether MongoDB lets us do what requests need: asked without changing anything."""

from collections.abc import Iterable, Mapping
from typing import Any

from bson import ObjectId
from pymongo import WriteConcern

from app.errors import StorageRefused
from app.storage.collection import Collection

_NOBODY = ObjectId(b"\0" * 12)
"""No document has it: ids begin with the time at which they were made."""

_ACTIONS = frozenset({"find", "insert", "update", "remove"})
"""What requests do, in MongoDB's words (manual, "Privilege Actions")."""


async def require_usable(collection: Collection) -> None:
    """Return if todos can be read and written; raise what MongoDB says otherwise.

    A ping needs no right and no primary. A read and a delete that find nothing need both, and
    change nothing; whether more may be done is asked (manual, "connectionStatus"), since an insert
    that does nothing does not exist.

    Raises:
        StorageRefused: MongoDB's user may not do all that is needed.
        PyMongoError: a command fails.
    """
    await collection.find_one({"_id": _NOBODY}, {"_id": True})
    # Nothing is written, so that nothing need be waited for.
    at_once = collection.with_options(write_concern=WriteConcern(w=1))
    await at_once.delete_one({"_id": _NOBODY})
    database = collection.database
    told = (await database.command("connectionStatus", showPrivileges=True))["authInfo"]
    # Without a user all is allowed: the commands above would have failed.
    if told["authenticatedUsers"]:
        granted = _granted(told["authenticatedUserPrivileges"], database.name, collection.name)
        if missing := _ACTIONS - granted:
            words = ", ".join(sorted(missing))
            raise StorageRefused(f"MongoDB refuses: its user may not {words} in todos")


def _granted(privileges: Iterable[Mapping[str, Any]], database: str, collection: str) -> set[str]:
    """Return the actions that are allowed on a collection."""
    return {
        action
        for privilege in privileges
        if _covers(privilege["resource"], database, collection)
        for action in privilege["actions"]
    }


def _covers(resource: Mapping[str, Any], database: str, collection: str) -> bool:
    """Tell whether a resource is, or contains, a collection (manual, "Resource Document")."""
    if resource.get("anyResource"):
        return True
    return resource.get("db") in ("", database) and resource.get("collection") in ("", collection)
