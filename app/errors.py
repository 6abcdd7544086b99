"""What can go wrong, in the product's words. Knows no HTTP, no MongoDB, no Redis."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.domain.todo import Todo


class TodoError(Exception):
    """Base of every error that a caller of the services must expect."""


class TodoNotFound(TodoError):
    """There is no such todo, or it is somebody else's: the two must not be told apart."""


class RevConflict(TodoError):
    """The todo's revision does not meet the caller's condition."""

    def __init__(self, current: "Todo") -> None:
        super().__init__(f"the todo is at revision {current.rev}")
        self.current = current


class InvalidCursor(TodoError):
    """The cursor is not one of ours, is damaged, or belongs to another list."""


class StorageUnavailable(TodoError):
    """The database did not answer in time; whether a write took place is unknown."""


class StorageRefused(StorageUnavailable):
    """The database answers and refuses, where it did not when the service began."""


class WriteNotBegun(StorageUnavailable):
    """A write could not be announced in time; nothing was done."""


class StorageOverloaded(StorageUnavailable):
    """Too many operations wait for the database already; nothing was begun."""


class StorageUnusable(TodoError):
    """The database answers and will not do what the service needs; a person has to act."""
