"""Todos and the changes that can be made to them."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

PUBLIC_OWNER = "public"
"""The owner of every todo as long as there are no users."""

MAX_CONTENT_CHARACTERS = 4096
"""Longest content, in Unicode code points: several screens, far below MongoDB's 16 MiB."""

# Refused: C0 and C1 controls and DEL (all but tab, line feed and carriage return), which
# corrupt terminals and logs; lone surrogates, which are not valid text in any encoding.
_TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]*$"

Content = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_CONTENT_CHARACTERS,
        pattern=_TEXT,
        description="Text, with no control characters but tab, line feed and carriage return.",
    ),
]


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
