"""What MongoDB's own profiler saw of an operation, and what is wrong with that."""

from collections.abc import Awaitable, Callable
from typing import Any

from many_todos import SAME_TIME_AS

from app.errors import RevConflict, TodoNotFound
from app.resources import Resources

SLACK_DOCUMENTS = SAME_TIME_AS + 2
"""A page may look at those of its place's time, and a seek at one more on each of two ranges."""

Entry = dict[str, Any]
Shape = Callable[[], Awaitable[object]]

QUERIES = {"find", "getMore", "update", "delete", "findAndModify", "aggregate", "count", "distinct"}


async def profile(resources: Resources, shape: Shape) -> list[Entry]:
    """Run an operation and return what the profiler wrote of it."""
    database = resources.todos.database
    # A fresh one each time: it is a ring of 1 MB, which forgets.
    await database.drop_collection("system.profile")
    await database.command("profile", 2)
    try:
        await shape()
    except (TodoNotFound, RevConflict):
        pass  # The query is what counts, also one that finds nothing.
    finally:
        await database.command("profile", 0)
    entries: list[Entry] = await database["system.profile"].find({"op": {"$ne": "none"}}).to_list()
    return [entry for entry in entries if "profile" not in entry["command"]]


def complaints(entries: list[Entry]) -> list[str]:
    """Return what is wrong with operations that the profiler saw."""
    if not entries:
        return ["the profiler saw nothing"]
    return [complaint for entry in entries for complaint in complaints_of(entry)]


def complaints_of(entry: Entry) -> list[str]:
    command = name_of(entry)
    if command == "insert":
        return []
    if command not in QUERIES or "planSummary" not in entry:
        return [f"not understood: {entry}"]
    found = []
    if not entry["planSummary"].startswith(("IXSCAN", "IDHACK")):
        found.append(f"{command} by {entry['planSummary']}")
    if entry.get("hasSortStage"):
        found.append(f"{command} sorts in memory")
    returned = max(entry.get(name, 0) for name in ("nreturned", "nMatched", "ndeleted"))
    skipped = entry["command"].get("skip", 0)
    allowed = returned + skipped + SLACK_DOCUMENTS
    found += [
        f"{command} looks at {entry[name]} ({name}) for {returned}"
        for name in ("docsExamined", "keysExamined")
        if entry.get(name, 0) > allowed
    ]
    return found


def name_of(entry: Entry) -> str:
    # A write stands under its own name, as one entry for each of its statements.
    names = {"update": "update", "remove": "delete", "insert": "insert", "getmore": "getMore"}
    return names.get(entry["op"]) or str(next(iter(entry["command"])))


def owners_of(entry: Entry) -> set[str]:
    """Return the owners that an operation asks for; not of an insert, which is written without
    its documents.
    """
    command = entry["command"]
    if name_of(entry) == "aggregate":
        asked = command["pipeline"][0].get("$match", {})
    else:
        asked = command.get("filter") or command.get("query") or command.get("q") or {}
    owner = asked.get("owner")
    return {owner} if isinstance(owner, str) else set()
