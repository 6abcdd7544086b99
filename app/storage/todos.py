"""Todos in MongoDB."""

from collections.abc import Callable, Sequence

from bson import ObjectId
from pymongo import ReturnDocument

from app.domain.page import Position, TodoQuery
from app.domain.todo import RevCondition, Todo, TodoChanges, TodoDraft
from app.errors import RevConflict, TodoNotFound
from app.storage.collection import Collection, Document
from app.storage.documents import document_from_todo, object_id, todo_from_document, update_of
from app.storage.indexes import NEWEST_FIRST
from app.storage.operations import Operations


class MongoTodoRepository:
    """Keeps todos in one collection; a `TodoRepository`.

    Args:
        todos: the collection, on a client with the write concern that durability asks for.
        operations: the gate that every operation goes through.
        new_id: makes the ids of new todos.
    """

    def __init__(
        self,
        todos: Collection,
        operations: Operations,
        new_id: Callable[[], ObjectId] = ObjectId,
    ) -> None:
        self._todos = todos
        self._run = operations.run
        self._new_id = new_id

    async def add(self, owner: str, draft: TodoDraft, *, now: float) -> Todo:
        """Store a new todo and return it."""
        todo = Todo(
            id=str(self._new_id()),
            owner=owner,
            content=draft.content,
            created_at=now,
            is_finished=False,
            finished_at=None,
            updated_at=now,
            rev=1,
        )
        document = document_from_todo(todo)
        await self._run("insert", lambda: self._todos.insert_one(document))
        return todo

    async def add_many(self, todos: Sequence[Todo]) -> None:
        """Store whole todos, ids and times included, in no particular order."""
        documents = [document_from_todo(todo) for todo in todos]
        await self._run("insert_many", lambda: self._todos.insert_many(documents, ordered=False))

    async def get(self, owner: str, todo_id: str) -> Todo:
        """Return the owner's todo, or raise `TodoNotFound`."""
        named = {"_id": object_id(todo_id), "owner": owner}
        document = await self._run("find_one", lambda: self._todos.find_one(named))
        if document is None:
            raise TodoNotFound
        return todo_from_document(document)

    async def list(self, query: TodoQuery) -> Sequence[Todo]:
        """Return the todos of a page, newest first; equal times are ordered by id."""
        wanted: Document = {"owner": query.owner}
        if query.is_finished is not None:
            wanted["is_finished"] = query.is_finished
        if query.after is not None:
            # Said twice: the planner may seek by this and check the rest, or merge the ranges of
            # the rest. Without it, a plan remembered from the top would walk to a deep place.
            wanted["created_at"] = {"$lte": query.after.created_at}
            wanted["$or"] = _older_than(query.after)
        return await self._find(wanted, skip=0, limit=query.limit)

    async def list_from(self, owner: str, *, start: int, limit: int) -> Sequence[Todo]:
        """Return at most ``limit`` todos, newest first, after skipping ``start``."""
        return await self._find({"owner": owner}, skip=start, limit=limit)

    async def _find(self, wanted: Document, *, skip: int, limit: int) -> Sequence[Todo]:
        documents = await self._run(
            "find",
            lambda: self._todos.find(
                wanted, sort=NEWEST_FIRST, skip=skip, limit=limit, batch_size=limit
            ).to_list(limit),
        )
        return [todo_from_document(document) for document in documents]

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

        Raises:
            TodoNotFound: there is none.
            RevConflict: its revision does not meet the condition; nothing was changed.
        """
        wanted = _matching(owner, todo_id, condition)
        update = update_of(changes, now)
        document = await self._run(
            "find_one_and_update",
            lambda: self._todos.find_one_and_update(
                wanted, update, return_document=ReturnDocument.AFTER
            ),
        )
        if document is None:
            raise RevConflict(await self.get(owner, todo_id))
        return todo_from_document(document)

    async def delete(self, owner: str, todo_id: str, *, condition: RevCondition) -> None:
        """Delete the todo; raises as `update` does."""
        wanted = _matching(owner, todo_id, condition)
        result = await self._run("delete", lambda: self._todos.delete_one(wanted))
        if result.deleted_count == 0:
            raise RevConflict(await self.get(owner, todo_id))

    async def ping(self) -> None:
        """Ask the server for a sign of life, or raise `StorageUnavailable`."""
        await self._run("ping", lambda: self._todos.database.command("ping"))


def _matching(owner: str, todo_id: str, condition: RevCondition) -> Document:
    wanted: Document = {"_id": object_id(todo_id), "owner": owner}
    allowed: Document = {}
    if condition.any_of is not None:
        allowed["$in"] = sorted(condition.any_of)
    if condition.none_of:
        allowed["$nin"] = sorted(condition.none_of)
    if allowed:
        wanted["rev"] = allowed
    return wanted


def _older_than(position: Position) -> list[Document]:
    # Two ranges of the index, which the server merges in order: a seek at any depth.
    return [
        {"created_at": position.created_at, "_id": {"$lt": ObjectId(position.id)}},
        {"created_at": {"$lt": position.created_at}},
    ]
