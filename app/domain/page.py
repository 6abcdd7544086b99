"""Pages of todos and the cursors that join them."""

import base64
import binascii
import hashlib
import hmac
import struct

from msgspec import Struct

from app.domain.todo import Todo
from app.errors import InvalidCursor

# A cursor is these fields, in network byte order, and a digest over them and the owner.
_FIELDS = struct.Struct("!Bd12s")
_DIGEST_BYTES = 6
_FILTERS: tuple[bool | None, ...] = (None, False, True)


class Position(Struct, frozen=True):
    """A place in a list that is sorted newest first: just after this todo."""

    created_at: float
    id: str


class TodoQuery(Struct, frozen=True, kw_only=True):
    """Which page of whose todos: newest first, ``limit`` at most, ``skip`` behind ``after``."""

    owner: str
    limit: int
    is_finished: bool | None = None
    after: Position | None = None
    skip: int = 0


class Page(Struct, frozen=True):
    """Consecutive todos of a list; ``next_cursor`` is None on the last page."""

    items: tuple[Todo, ...]
    next_cursor: str | None


class Cursors:
    """Makes the cursors of lists, and knows its own.

    Whoever could make some up could name as many places as there are numbers, each a page of its
    own to read and to keep; and could carry one to another list.

    Args:
        key: the same in all processes, and known to nobody else; 64 bytes at most.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, query: TodoQuery, last: Todo) -> str:
        """Return the opaque cursor of the page that follows ``last`` in the query's list.

        It names a place, not a page number: it stays right while todos are added and deleted,
        the one it was made from included, and costs one index seek at any depth.
        """
        fields = _FIELDS.pack(
            _FILTERS.index(query.is_finished), last.created_at, bytes.fromhex(last.id)
        )
        return base64.urlsafe_b64encode(fields + self._digest(fields, query.owner)).decode("ascii")

    def decode(self, cursor: str, *, owner: str, is_finished: bool | None) -> Position:
        """Return the place a cursor names in this owner's list under this filter.

        Raises:
            InvalidCursor: not one of ours, damaged, or made for another list.
        """
        try:
            raw = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            raise InvalidCursor from None
        fields, digest = raw[:-_DIGEST_BYTES], raw[-_DIGEST_BYTES:]
        is_ours = hmac.compare_digest(digest, self._digest(fields, owner))
        if len(fields) != _FIELDS.size or not is_ours:
            raise InvalidCursor
        filter_index, created_at, todo_id = _FIELDS.unpack(fields)
        if filter_index != _FILTERS.index(is_finished):
            raise InvalidCursor
        return Position(created_at, todo_id.hex())

    def _digest(self, fields: bytes, owner: str) -> bytes:
        return hashlib.blake2b(
            fields + owner.encode(),
            digest_size=_DIGEST_BYTES,
            key=self._key,
            person=b"todo cursor",
        ).digest()
