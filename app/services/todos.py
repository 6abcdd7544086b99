"""The promises about todos."""

from asyncio import Future  # noqa: TC003 - the type hints are read at runtime.
from collections.abc import Sequence
from contextlib import suppress

from msgspec.structs import replace

from app.domain.page import Page, Position, TodoQuery
from app.domain.todo import (
    UNCONDITIONAL,
    RevCondition,
    Todo,
    TodoChanges,
    TodoDraft,
    new_todo,
    require_todo_id,
)
from app.errors import StorageUnavailable, TodoNotFound
from app.services.freshness import Stamps
from app.services.gaps import Gaps
from app.services.milestones import Milestones
from app.services.ports import Clock, TodoRepository
from app.services.under_stamp import UnderStamp
from app.services.writing import Creates, announced


class TodoService:
    """Every operation on todos, one short method each.

    Writes are announced, so that nobody who reads through the cache misses one.

    All methods may raise `StorageUnavailable`; the others they raise are named.
    """

    def __init__(
        self,
        repository: TodoRepository,
        clock: Clock,
        stamps: Stamps,
        creates: Creates,
        *,
        milestones: UnderStamp[Milestones],
        gaps: UnderStamp[Gaps],
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._stamps = stamps
        self._creates = creates
        self._milestones = milestones
        self._gaps = gaps

    async def add(self, owner: str, draft: TodoDraft) -> Todo:
        """Store a new todo; when this returns it survives the loss of any process."""
        todo, stored = self.begin_to_add(owner, draft)
        await stored
        return todo

    def begin_to_add(self, owner: str, draft: TodoDraft) -> "tuple[Todo, Future[None]]":
        """Return a new todo, and what is done when it is stored: see `Creates.add`."""
        todo = new_todo(draft, todo_id=self._repository.new_id(), owner=owner, now=self._clock())
        return todo, self._creates.add(todo)

    async def fetch(self, owner: str, todo_id: str, *, stamp: str | None) -> Todo:
        """Return the owner's todo, or raise `TodoNotFound`.

        Then more may be known about ids that name none, as long as the scope's stamp holds.
        """
        try:
            return await self._repository.get(owner, todo_id)
        except TodoNotFound:
            if stamp is not None:
                with suppress(StorageUnavailable):
                    gap = await self._repository.neighbours(owner, todo_id)
                    self._gaps.get(owner, stamp).add(gap)
            raise

    def is_absent(self, owner: str, todo_id: str, *, stamp: str | None) -> bool:
        """Tell whether an id names no todo for certain, under the stamp; False if it may.

        Whoever tries out ids would otherwise cost one read for each, and push what is useful out of
        the cache.
        """
        return self._gaps.get(owner, stamp).has(todo_id)

    def position(self, cursor: str, *, owner: str, is_finished: bool | None) -> Position:
        """Return the place that a page's ``next_cursor`` names; raises as `Cursors.decode` does."""
        return self._repository.cursors.decode(cursor, owner=owner, is_finished=is_finished)

    async def page(self, query: TodoQuery) -> Page:
        """Return the page of todos that the query asks for, newest first."""
        # One more than asked for tells whether a next page exists without counting.
        limit = query.limit
        todos = tuple(await self._repository.list(replace(query, limit=limit + 1)))
        if len(todos) <= limit:
            return Page(todos, None)
        return Page(todos[:limit], self._repository.cursors.encode(query, todos[limit - 1]))

    async def page_from(
        self, owner: str, *, start: int, limit: int, stamp: str | None
    ) -> Sequence[Todo]:
        """Return ``limit`` todos, newest first, after skipping ``start``.

        The cost grows with the distance from ``start`` to what was read before under the scope's
        stamp, or to the top where there is none; callers bound it.
        """
        milestones = self._milestones.get(owner, stamp)
        if start >= milestones.end:
            return ()

        def choose() -> TodoQuery:
            # When the database has time for it, more is known than when it was asked for.
            distance, position = milestones.before(start)
            return TodoQuery(owner=owner, limit=limit, after=position, skip=start - distance)

        todos = await self._repository.list_chosen(choose)
        if todos:
            milestones.add(start + len(todos), Position(todos[-1].created_at, todos[-1].id))
        if len(todos) < limit:
            milestones.end = min(milestones.end, start + len(todos))
        return todos

    async def revise(
        self,
        owner: str,
        todo_id: str,
        changes: TodoChanges,
        condition: RevCondition = UNCONDITIONAL,
    ) -> Todo:
        """Apply the changes and return the todo after them.

        Raises:
            TodoNotFound: there is none.
            RevConflict: its revision does not meet the condition; nothing was changed.
        """
        require_todo_id(todo_id)
        async with announced(self._stamps, (owner,)):
            return await self._repository.update(
                owner, todo_id, changes, condition=condition, now=self._clock()
            )

    async def finish(self, owner: str, todo_id: str) -> Todo:
        """Finish the todo; one finished before keeps its ``finished_at``.

        Raises:
            TodoNotFound: there is none.
        """
        return await self.revise(owner, todo_id, TodoChanges(is_finished=True))

    async def delete(
        self, owner: str, todo_id: str, condition: RevCondition = UNCONDITIONAL
    ) -> None:
        """Delete the todo; raises as `revise` does."""
        require_todo_id(todo_id)
        async with announced(self._stamps, (owner,)):
            await self._repository.delete(owner, todo_id, condition=condition)
