"""Reads that may be late: from members of a replica set that follow the primary."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any

import pymongo
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo.read_preferences import Primary, Secondary, SecondaryPreferred

from app.domain.page import Position
from app.domain.statistics import Statistics
from app.domain.todo import Todo
from app.errors import StorageUnavailable
from app.storage.collection import Collection, Document
from app.storage.documents import is_showable_time, showable_todo
from app.storage.newest_first import find_newest_first
from app.storage.operations import Operations, refusals, storage_errors

MAX_STALENESS_SECONDS = 120
"""A member that is known to be further behind is not asked, unless the address names another
bound. MongoDB takes 90 at least, and more where the address asks for rarer heartbeats:
https://www.mongodb.com/docs/manual/core/read-preference-staleness/"""

_SECONDARIES: Mapping[str, type[Secondary | SecondaryPreferred]] = MappingProxyType(
    {"secondary": Secondary, "secondaryPreferred": SecondaryPreferred}
)

_BATCH_TODOS = 1000
"""The longest todos have 4,096 characters: one answer of MongoDB, and a moment of its time."""


class LateReads:
    """Reads what most members of the replica set hold, of any of them.

    Nothing here may prove an answer fresh: what was acknowledged a moment ago may be missing. How
    late a member is, the driver judges by the primary, without one by the newest secondary, and
    not at all where the address asks for one server directly.

    Args:
        todos: the collection. The tags and the staleness that its client's address asks for choose
            among the secondaries.
        operations: the gate that every operation goes through.
        preference: MongoDB's name for the members that are asked.
        patience_seconds: how long the first read waits for a secondary where those are preferred.
        deadline_seconds: for an operation; shorter than the gate's, so that the driver says why.
    """

    def __init__(
        self,
        todos: Collection,
        operations: Operations,
        *,
        preference: str,
        patience_seconds: float,
        deadline_seconds: float,
    ) -> None:
        asked = todos.database.client.read_preference
        bounds = (asked.tag_sets, _staleness(asked.max_staleness))
        self.members = Primary() if preference == "primary" else _SECONDARIES[preference](*bounds)
        """Those that are asked, in the driver's words."""
        self._todos = todos.with_options(
            # A date that Python has none for is found to be no todo's: nothing to fall over.
            codec_options=CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO),
            # Motor takes the class that names the standard ones for the type of all.
            read_preference=self.members,  # type: ignore[arg-type]
        )
        self._operations = operations
        self._awaited = Secondary(*bounds) if preference == "secondaryPreferred" else None
        self._patience_seconds = patience_seconds
        self._deadline_seconds = deadline_seconds

    async def batches(self, owner: str) -> AsyncIterator[Sequence[Todo]]:
        """Yield all todos of an owner, newest first, each once; equal times are ordered by id.

        Each batch is an operation with a deadline of its own, and may come from another member:
        of what came, went or changed since as long before the first as a member may be late, any
        state may be seen, or none.

        Raises:
            StorageUnavailable: no member answers.
            StorageUnusable: MongoDB refuses, or holds a document that is no todo.
        """
        after: Position | None = None
        while documents := await self._run("find", partial(self._batch, owner, after)):
            todos = [showable_todo(document) for document in documents]
            yield todos
            after = Position(todos[-1].created_at, todos[-1].id)

    def _batch(self, owner: str, after: Position | None) -> Awaitable[Sequence[Document]]:
        return find_newest_first(self._todos, {"owner": owner}, after=after, limit=_BATCH_TODOS)

    async def statistics(self, owner: str) -> Statistics:
        """Return what an owner's todos come to, from an index alone.

        Documents that are no todos count as what the lists take them for; what is no time is none.

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
            oldest=min(_values(documents, "oldest"), default=None),
            newest=max(_values(documents, "newest"), default=None),
        )

    def _groups(self, owner: str) -> Awaitable[Sequence[Document]]:
        # A decimal may be nearer to zero than any double: an error.
        seconds = {"$convert": {"input": "$created_at", "to": "double", "onError": None}}
        created_at = {"$cond": [is_showable_time("$created_at"), seconds, None]}
        group = {
            "_id": {"$eq": ["$is_finished", True]},
            "count": {"$sum": 1},
            # Both leave out what is null.
            "oldest": {"$min": created_at},
            "newest": {"$max": created_at},
        }
        return self._todos.aggregate([{"$match": {"owner": owner}}, {"$group": group}]).to_list(2)

    async def has_ownerless(self) -> bool:
        """Tell whether there are documents without an owner; raises as `statistics` does.

        Where the index of owners is missing too, no service has been here, and all are such.
        """
        return bool(await self._run("find", self._ownerless))

    def _ownerless(self) -> Awaitable[Sequence[Document]]:
        return self._todos.find({"owner": None}, {"_id": True}, limit=1).to_list(1)

    async def _run(
        self, name: str, start: Callable[[], Awaitable[Sequence[Document]]]
    ) -> Sequence[Document]:
        await self._wait_for_secondary()

        def start_in_time() -> Awaitable[Sequence[Document]]:
            with pymongo.timeout(self._deadline_seconds):
                return start()

        with refusals():
            return await self._operations.run(name, start_in_time)

    async def _wait_for_secondary(self) -> None:
        """Return when a secondary is known where those are preferred, or was waited for once.

        The driver prefers among the members that it knows already: at first that is often the
        primary alone, and a lone read would always burden it.
        """
        if self._awaited is None:
            return
        patience = pymongo.timeout(self._patience_seconds)
        with suppress(StorageUnavailable), refusals(), storage_errors(), patience:
            await self._todos.database.command("ping", read_preference=self._awaited)
        self._awaited = None


def _staleness(asked: int) -> int:
    return MAX_STALENESS_SECONDS if asked == -1 else asked  # The driver's word for none.


def _values(documents: Sequence[Document], name: str) -> Sequence[Any]:
    return [document[name] for document in documents if document[name] is not None]
