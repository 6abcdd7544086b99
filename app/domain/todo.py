"""Todos and the changes that can be made to them."""

import re
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from app.errors import TodoNotFound

PUBLIC_OWNER = "public"
"""The owner of every todo as long as there are no users."""

MAX_CONTENT_CHARACTERS = 4096
"""Longest content, in Unicode code points: several screens, far below MongoDB's 16 MiB."""

# Refused: C0 and C1 controls and DEL (all but tab, line feed and carriage return), which
# corrupt terminals and logs. Lone surrogates are no text in any encoding: who reads the todo
# from bytes refuses them, since not every reader of the schema could read a pattern with them.
_CONTROLS = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"
_TEXT = rf"^[^{_CONTROLS}]*$"

NO_TEXT = re.compile(rf"[{_CONTROLS}\ud800-\udfff]")
"""Finds a character that no content may have."""

Content = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_CONTENT_CHARACTERS,
        pattern=_TEXT,
        description="Text, with no control characters but tab, line feed and carriage return.",
    ),
]


_ID = re.compile("[0-9a-f]{24}")


def is_todo_id(text: str) -> bool:
    """Tell whether a text has the form of a todo's id: 24 lower-case hexadecimal digits.

    Only the form that the API gives out is one, so that one todo has one address.
    """
    return _ID.fullmatch(text) is not None


def require_todo_id(text: str) -> None:
    """Raise `TodoNotFound` for what has not the form of an id, and names no todo for certain."""
    if not is_todo_id(text):
        raise TodoNotFound


class Todo(Struct, frozen=True, kw_only=True):
    """One todo as stored. Times are seconds since the epoch.

    ``rev`` starts at 1 and grows by one with every change; it is the entity tag's value.
    """

    id: str
    owner: str
    content: str
    created_at: float
    is_finished: bool
    finished_at: float | None
    updated_at: float
    rev: int


class TodoDraft(Struct, frozen=True, forbid_unknown_fields=True):
    """What a caller says of a todo that does not exist yet."""

    content: Content


def new_todo(draft: TodoDraft, *, todo_id: str, owner: str, now: float) -> Todo:
    """Return the todo that a draft becomes at a time."""
    return Todo(
        id=todo_id,
        owner=owner,
        content=draft.content,
        created_at=now,
        is_finished=False,
        finished_at=None,
        updated_at=now,
        rev=1,
    )


class TodoChanges(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A partial update: absent fields stay as they are (RFC 7396)."""

    content: Content | UnsetType = UNSET
    is_finished: bool | UnsetType = UNSET


class RevCondition(Struct, frozen=True):
    """Which revisions of a todo a conditional request may act on (RFC 9110, section 13.1)."""

    any_of: frozenset[int] | None = None
    """The revision must be one of these; None allows every one (``If-Match``)."""
    none_of: frozenset[int] = frozenset()
    """The revision must be none of these (``If-None-Match``)."""


UNCONDITIONAL = RevCondition()
