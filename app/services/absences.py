"""Knows that todos do not exist without asking the database for each."""

from collections.abc import Callable
from typing import NamedTuple

from app.services.freshness import OneAsker, Reader, Source
from app.services.ports import TodoRepository

MOST_IDS = 10_000
"""Of an owner with more todos each absent one is asked for: reading all ids would cost more."""

_LEAST_SECONDS = 1.0
"""Between two readings of all ids, which take MongoDB as long as some hundred single todos."""

_MOST_OWNERS = 1000


class Ids(NamedTuple):
    """The ids of an owner's todos, unless there are too many to know them all."""

    are_known: bool
    ids: frozenset[str]


class Absences:
    """Answers for ids that are well-formed and name no todo.

    Whoever tries out ids would otherwise cost one read for each, and push what is useful out of the
    cache. After one of an owner's ids was not found all of them are read, once for each stamp.

    Args:
        repository: where todos are kept.
        reader: reads the ids through the cache.
        monotonic: the time in seconds.
    """

    def __init__(
        self, repository: TodoRepository, reader: Reader[Ids], monotonic: Callable[[], float]
    ) -> None:
        self._repository = repository
        self._reader = reader
        self._monotonic = monotonic
        self._missed: dict[str, float] = {}

    def note(self, owner: str) -> None:
        """Hear that one of an owner's ids was not found."""
        if len(self._missed) >= _MOST_OWNERS:
            self._missed.clear()
        self._missed.setdefault(owner, 0.0)

    async def is_absent(self, owner: str, todo_id: str) -> bool:
        """Tell whether an id names no todo for certain; False where that is not known."""
        not_before = self._missed.get(owner)
        if not_before is None:
            return False
        asker = OneAsker()
        self._reader.prove(owner, asker)
        stamp = await asker.stamp
        source = Source(owner, "ids", lambda _: self._load(owner))
        found = self._reader.recall(source, stamp)
        if found is None:
            if stamp is None or self._monotonic() < not_before:
                return False
            self._missed[owner] = self._monotonic() + _LEAST_SECONDS
            found = (await self._reader.read_on(source, stamp)).body
        return found.are_known and todo_id not in found.ids

    async def _load(self, owner: str) -> Ids:
        ids = await self._repository.ids(owner, limit=MOST_IDS + 1)
        if len(ids) > MOST_IDS:
            return Ids(False, frozenset())
        return Ids(True, frozenset(ids))
