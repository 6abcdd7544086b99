"""What the services need from the outside; adapters in ``app.storage`` provide it."""

from collections.abc import Callable, Sequence
from typing import Protocol

from app.domain.page import Cursors, TodoQuery
from app.domain.todo import RevCondition, Todo, TodoChanges
from app.services.gaps import Neighbours

Clock = Callable[[], float]
"""Returns seconds since the epoch."""


class TodoRepository(Protocol):
    """Keeps todos durably: a method that returns has its write on disk.

    Every method may raise `StorageUnavailable`. Ids may be any text: one that is no id of ours
    names no todo.
    """

    @property
    def cursors(self) -> Cursors:
        """Those of these todos, in all processes."""
        ...

    def new_id(self) -> str:
        """Return an id that no todo has."""
        ...

    async def add_each(self, todos: Sequence[Todo]) -> Sequence[Exception | None]:
        """Store new todos in one operation; return what went wrong with each, or None.

        Raises:
            StorageUnavailable: whether any of them is stored is unknown.
        """
        ...

    async def get(self, owner: str, todo_id: str) -> Todo:
        """Return the owner's todo, or raise `TodoNotFound`."""
        ...

    async def list(self, query: TodoQuery) -> Sequence[Todo]:
        """Return the todos of a page, newest first; equal times are ordered by id."""
        ...

    async def list_chosen(self, choose: Callable[[], TodoQuery]) -> Sequence[Todo]:
        """Return the todos of a page that is chosen when it is this read's turn; see `list`."""
        ...

    async def neighbours(self, owner: str, todo_id: str) -> Neighbours:
        """Return the ids of the owner's todos next to one that names none of them."""
        ...

    async def update(
        self,
        owner: str,
        todo_id: str,
        changes: TodoChanges,
        *,
        condition: RevCondition,
        now: float,
    ) -> Todo:
        """Apply the changes at once and return the todo after them.

        Changes that change nothing leave the revision alone; finishing what is finished
        keeps its ``finished_at``.

        Raises:
            TodoNotFound: there is none.
            RevConflict: its revision does not meet the condition; nothing was changed.
        """
        ...

    async def delete(self, owner: str, todo_id: str, *, condition: RevCondition) -> None:
        """Delete the todo; raises as `update` does."""
        ...
