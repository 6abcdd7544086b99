"""Todos in MongoDB."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from bson import ObjectId
from bson.timestamp import Timestamp
from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.errors import BulkWriteError, ConfigurationError

from app.domain.page import Cursors, TodoQuery
from app.domain.todo import RevCondition, Todo, TodoChanges
from app.errors import RevConflict, StorageRefused, StorageUnavailable, TodoNotFound
from app.services.freshness import OperationTime
from app.services.gaps import Neighbours
from app.storage.collection import Collection, Document
from app.storage.documents import document_from_todo, object_id, todo_from_document, update_of
from app.storage.newest_first import find_newest_first
from app.storage.operations import (
    Operations,
    failure_of,
    is_without_sessions,
    request_errors,
)
from app.storage.preparation import prepare
from app.storage.readiness import require_usable

T = TypeVar("T")

_LOGIN_SECONDS = 1.0
"""Between two times that connections are made anew since MongoDB refuses: a login costs both sides
milliseconds of work, and MongoDB may refuse every request."""


class MongoTodoRepository:
    """Keeps todos in one collection; a `TodoRepository`.

    Args:
        todos: the collection, on a client with the write concern that durability asks for.
        operations: the gate that every operation goes through.
        operation_time: what every read is at least as new as; writes move it.
        new_id: makes the ids of new todos.
    """

    def __init__(
        self,
        todos: Collection,
        operations: Operations,
        operation_time: OperationTime,
        new_id: Callable[[], ObjectId] = ObjectId,
    ) -> None:
        self._todos = todos
        self._operations = operations
        self._operation_time = operation_time
        self._new_id = new_id
        self._cursors: Cursors | None = None
        self._next_login = 0.0

    async def prepare(self, *, owner: str) -> None:
        """Put the indexes in place and give documents without an owner to ``owner``.

        Until this has been done all others raise `StorageUnavailable`: no request shall walk
        through a whole collection.

        Raises:
            StorageUnavailable: MongoDB is away; call again.
            StorageUnusable: it refuses; a person has to act.
        """
        self._cursors = Cursors(await prepare(self._todos, owner=owner))

    @property
    def cursors(self) -> Cursors:
        """Those of these todos, in all processes on the database."""
        return self._require_prepared()

    def new_id(self) -> str:
        """Return an id that no todo has."""
        return str(self._new_id())

    async def add_many(self, todos: Sequence[Todo]) -> None:
        """Store whole todos, ids and times included, in no particular order."""
        documents = [document_from_todo(todo) for todo in todos]
        insert = partial(self._todos.insert_many, documents, ordered=False)
        await self._write("insert_many", insert)

    async def add_each(self, todos: Sequence[Todo]) -> Sequence[Exception | None]:
        """Store new todos in one operation; return what went wrong with each, or None.

        Raises:
            StorageUnavailable: whether any of them is stored is unknown.
        """
        documents = [document_from_todo(todo) for todo in todos]
        failures = await self._write("insert_many", partial(_insert_each, self._todos, documents))
        return [failures.get(place) for place in range(len(todos))]

    async def get(self, owner: str, todo_id: str) -> Todo:
        """Return the owner's todo, or raise `TodoNotFound`."""
        named = {"_id": object_id(todo_id), "owner": owner}
        document = await self._run("find_one", partial(self._todos.find_one, named))
        if document is None:
            raise TodoNotFound
        return todo_from_document(document)

    async def list(self, query: TodoQuery) -> Sequence[Todo]:
        """Return the todos of a page, newest first; equal times are ordered by id."""
        return await self.list_chosen(lambda: query)

    async def list_chosen(self, choose: Callable[[], TodoQuery]) -> Sequence[Todo]:
        """Return the todos of a page that is chosen when it is this read's turn; see `list`."""
        documents = await self._run("find", lambda session: self._find(choose(), session))
        return [todo_from_document(document) for document in documents]

    def _find(self, query: TodoQuery, session: ClientSession) -> Awaitable[Sequence[Document]]:
        wanted: Document = {"owner": query.owner}
        if query.is_finished is not None:
            wanted["is_finished"] = query.is_finished
        window = {"limit": query.limit, "skip": query.skip}
        return find_newest_first(self._todos, wanted, after=query.after, session=session, **window)

    async def neighbours(self, owner: str, todo_id: str) -> Neighbours:
        """Return the ids of the owner's todos next to one that names none of them."""
        wanted = object_id(todo_id)

        async def find(session: ClientSession) -> list[str | None]:
            ids = []
            for comparison, order in (("$lt", DESCENDING), ("$gt", ASCENDING)):
                beyond = {"owner": owner, "_id": {comparison: wanted}}
                found = await self._todos.find_one(
                    beyond, {"_id": True}, sort=[("_id", order)], session=session
                )
                ids.append(None if found is None else str(found["_id"]))
            return ids

        return Neighbours(*await self._run("find_one", find))

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
        change = partial(
            self._todos.find_one_and_update,
            wanted,
            update_of(changes, now),
            return_document=ReturnDocument.AFTER,
        )
        document = await self._write("find_one_and_update", change)
        if document is None:
            raise RevConflict(await self.get(owner, todo_id))
        return todo_from_document(document)

    async def delete(self, owner: str, todo_id: str, *, condition: RevCondition) -> None:
        """Delete the todo; raises as `update` does."""
        wanted = _matching(owner, todo_id, condition)
        result = await self._write("delete", partial(self._todos.delete_one, wanted))
        if result.deleted_count == 0:
            raise RevConflict(await self.get(owner, todo_id))

    async def ping(self) -> None:
        """Return if requests can be served, or raise `StorageUnavailable`.

        Asks past the gate: a process that has much to do is not one that is not well.
        """
        self._require_prepared()
        with self._logging_in_again(), request_errors():
            await require_usable(self._todos)

    async def _write(self, name: str, start: Callable[..., Awaitable[T]]) -> T:
        session = self._session()
        result = await self._run(name, start, session)
        self._operation_time.hear_of(_number(session.operation_time))
        return result

    async def _run(
        self, name: str, start: Callable[..., Awaitable[T]], session: ClientSession | None = None
    ) -> T:
        self._require_prepared()
        session = session or self._session()

        async def start_with_sessions() -> T:
            try:
                return await start(session=session)
            except ConfigurationError as error:
                if not is_without_sessions(error):
                    raise
            # Nothing was sent. The driver would keep that connection, and give it out again.
            self._drop_connections()
            return await start(session=session)

        with self._logging_in_again():
            result = await self._operations.run(name, start_with_sessions)
        # Not where it failed: the thread of an operation that was given up may still use it.
        session.end_session()
        return result

    def _require_prepared(self) -> Cursors:
        if self._cursors is None:
            raise StorageUnavailable("the indexes are not in place yet")
        return self._cursors

    @contextmanager
    def _logging_in_again(self) -> Iterator[None]:
        """Make new connections after a refusal.

        A server ends the login of connections whose user was removed, and does not begin it again
        when there is such a user again: they would be refused for ever.
        """
        try:
            yield
        except StorageRefused:
            now = monotonic()
            if now >= self._next_login:
                self._next_login = now + _LOGIN_SECONDS
                self._drop_connections()
            raise

    def _drop_connections(self) -> None:
        client = self._todos.database.client.delegate
        for server in client._topology._servers.values():  # noqa: SLF001 - nothing public does it.
            server.pool.reset_without_pause()

    def _session(self) -> ClientSession:
        client = self._todos.database.client.delegate  # PyMongo's: this needs no thread.
        session: ClientSession = client.start_session(causal_consistency=True)
        if self._operation_time.newest:
            session.advance_operation_time(_timestamp(self._operation_time.newest))
        return session


async def _insert_each(
    collection: Collection, documents: Sequence[Document], *, session: Any
) -> dict[int, Exception]:
    try:
        await collection.insert_many(documents, ordered=False, session=session)
    except BulkWriteError as error:
        if error.details["writeConcernErrors"]:
            raise
        return {failed["index"]: failure_of(failed) for failed in error.details["writeErrors"]}
    return {}


def _timestamp(number: int) -> Timestamp:
    return Timestamp(number >> 32, number & 0xFFFFFFFF)


def _number(timestamp: Timestamp | None) -> int:
    # A server that is no member of a replica set tells no time.
    return 0 if timestamp is None else timestamp.time << 32 | timestamp.inc


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
