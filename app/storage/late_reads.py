"""Reads that may be late: from members of a replica set that follow the primary."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import MappingProxyType

import pymongo
from bson import MinKey, ObjectId
from pymongo import ASCENDING
from pymongo.read_preferences import Primary, Secondary, SecondaryPreferred

from app.domain.statistics import Statistics
from app.domain.todo import Todo
from app.errors import StorageUnavailable
from app.storage.collection import Collection, Document
from app.storage.documents import todo_from_document
from app.storage.operations import Operations, refusals, storage_errors

MAX_STALENESS_SECONDS = 120
"""A member that is further behind is not asked. MongoDB takes 90 at least, and more where the
address asks for rarer heartbeats: https://www.mongodb.com/docs/manual/core/read-preference-staleness/"""

_PREFERENCES: Mapping[str, Primary | Secondary | SecondaryPreferred] = MappingProxyType({
    "primary": Primary(),
    "secondary": Secondary(max_staleness=MAX_STALENESS_SECONDS),
    "secondaryPreferred": SecondaryPreferred(max_staleness=MAX_STALENESS_SECONDS),
})  # fmt: skip

_BATCH_TODOS = 1000
"""The longest todos have 4,096 characters: one answer of MongoDB, and a moment of its time."""


class LateReads:
    """Reads what most members of the replica set hold, of any of them.

    Nothing here may prove an answer fresh: what was acknowledged a moment ago may be missing.

    Args:
        todos: the collection.
        operations: the gate that every operation goes through.
        preference: MongoDB's name for the members that are asked.
        patience_seconds: how long to wait for a secondary to be found.
    """

    def __init__(
        self,
        todos: Collection,
        operations: Operations,
        *,
        preference: str,
        patience_seconds: float,
    ) -> None:
        chosen = _PREFERENCES[preference]
        # Motor takes the class that names the standard ones for the type of all.
        self._todos = todos.with_options(read_preference=chosen)  # type: ignore[arg-type]
        self._operations = operations
        self._prefers_secondaries = preference == "secondaryPreferred"
        self._patience_seconds = patience_seconds

    async def find_secondary(self) -> None:
        """Return when a secondary is known where those are preferred, or when it was waited for.

        The driver prefers among the members that it knows already: at first that is often the
        primary alone, and a lone read would always burden it.
        """
        if not self._prefers_secondaries:
            return
        with suppress(StorageUnavailable), refusals(), storage_errors():
            database = self._todos.database
            with pymongo.timeout(self._patience_seconds):
                await database.command("ping", read_preference=Secondary())

    async def batches(self, owner: str) -> AsyncIterator[Sequence[Todo]]:
        """Yield all todos of an owner in the order of their ids, each once.

        What is there all the while is yielded; what comes, goes or changes meanwhile may be seen
        or not. Each batch is an operation with a deadline of its own.

        Raises:
            StorageUnavailable: no member answers.
            StorageUnusable: MongoDB refuses.
        """
        last: ObjectId | MinKey = MinKey()
        while documents := await self._run("find", partial(self._after, owner, last)):
            yield [todo_from_document(document) for document in documents]
            last = documents[-1]["_id"]

    def _after(self, owner: str, last: ObjectId | MinKey) -> Awaitable[Sequence[Document]]:
        order = [("_id", ASCENDING)]
        found = self._todos.find(
            {"owner": owner, "_id": {"$gt": last}},
            sort=order,
            hint=order,  # Not to be sorted in memory, whatever the planner makes of the owner.
            limit=_BATCH_TODOS,
            batch_size=_BATCH_TODOS,
        )
        return found.to_list(_BATCH_TODOS)

    async def statistics(self, owner: str) -> Statistics:
        """Return what an owner's todos come to, from an index alone.

        Raises:
            StorageUnavailable: no member answers, or not in time: an index of ten million keys
                takes seconds.
            StorageUnusable: MongoDB refuses.
        """
        documents = await self._run("aggregate", partial(self._groups, owner))
        of_state = {document["_id"]: document for document in documents}
        return Statistics(
            open=of_state.get(False, {}).get("count", 0),
            finished=of_state.get(True, {}).get("count", 0),
            oldest=min((float(document["oldest"]) for document in documents), default=None),
            newest=max((float(document["newest"]) for document in documents), default=None),
        )

    def _groups(self, owner: str) -> Awaitable[Sequence[Document]]:
        group = {
            "_id": "$is_finished",
            "count": {"$sum": 1},
            "oldest": {"$min": "$created_at"},
            "newest": {"$max": "$created_at"},
        }
        return self._todos.aggregate([{"$match": {"owner": owner}}, {"$group": group}]).to_list(2)

    async def _run(
        self, name: str, start: Callable[[], Awaitable[Sequence[Document]]]
    ) -> Sequence[Document]:
        with refusals():
            return await self._operations.run(name, start)
