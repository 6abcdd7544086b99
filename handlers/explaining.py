"""What is wrong with values that clients send: codes, and our words for them."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from msgspec import Struct, inspect

from app.domain.todo import NO_TEXT

MAX_NAME_CHARACTERS = 100
"""A longer name of a member or parameter is told in part."""

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""Finds half a surrogate pair, which is no text in any encoding."""

_ERRORS_IN_DETAIL = 3
"""So many of them stand in the sentence for people too."""


class Wrong(NamedTuple):
    """What is wrong with a member or parameter; with the whole where there is no name."""

    name: str | None
    code: str
    detail: str


class Known(NamedTuple):
    """A member or parameter that may be sent."""

    kind: inspect.Type
    required: bool


@cache
def fields_of(kind: type[Struct]) -> Mapping[str, Known]:
    """Return the fields of a struct by their names."""
    described = inspect.type_info(kind)
    if not isinstance(described, inspect.StructType):
        raise TypeError(f"{kind} is no struct")
    return {
        field.encode_name: Known(_without_metadata(field.type), field.required)
        for field in described.fields
    }


def _without_metadata(kind: inspect.Type) -> inspect.Type:
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def missing(known: Mapping[str, Known], given: Mapping[str, Any]) -> list[Wrong]:
    """Return what must be given and is not."""
    return [
        Wrong(name, "missing", "is required")
        for name, field in known.items()
        if field.required and name not in given
    ]


def explain_unknown(
    name: str, known: Mapping[str, Any], shown: Mapping[str, Any] = MappingProxyType({})
) -> tuple[str, str]:
    """Return what is wrong with a name that is not among those known here.

    Args:
        name: was sent.
        known: the names that may be sent.
        shown: the names that answers have.
    """
    if name in shown:
        return "read_only", "can be read, but not set here"
    names = ", ".join(known) or "nothing"
    return "unknown_field", f"is not known here; known: {names}"


def explain(value: Any, kind: inspect.Type) -> tuple[str, str] | None:  # noqa: PLR0911 - a table.
    """Return the code of what is wrong with a value and our words for it; None if it is right."""
    match kind:
        case inspect.StrType() as text:
            if not isinstance(value, str):
                return "wrong_type", "must be a string"
            return _explain_text(value, text)
        case inspect.IntType(ge=least, le=most):
            if not isinstance(value, int) or isinstance(value, bool):
                return "wrong_type", "must be an integer"
            if least is not None and value < least:
                return "too_small", f"is below {least}; {least} to {most} are allowed"
            if most is not None and value > most:
                return "too_large", f"is above {most}; {least} to {most} are allowed"
        case inspect.BoolType():
            return None if isinstance(value, bool) else ("wrong_type", "must be true or false")
        case inspect.LiteralType(values=allowed):
            if value not in allowed:
                names = ", ".join(sorted(map(str, allowed)))
                return "not_allowed", f"is none of the values allowed here: {names}"
        case other:
            raise TypeError(f"{other} is not explained yet")
    return None


def _explain_text(value: str, kind: inspect.StrType) -> tuple[str, str] | None:
    least, most = kind.min_length, kind.max_length
    if least is not None and len(value) < least:
        return "too_short", "must not be empty"
    if most is not None and len(value) > most:
        return "too_long", f"is longer than {most} characters: it has {len(value)}"
    found = (LONE_SURROGATE if kind.pattern is None else NO_TEXT).search(value)
    if found is None:
        return None
    where = f"U+{ord(found[0]):04X} as character {found.start() + 1}"
    return "invalid_character", f"holds a control character or half a surrogate pair: {where}"


def summarise(wrong: Sequence[Wrong], whole: str) -> str:
    """Return the sentences for people; ``whole`` stands for what has no name."""
    told = [
        f"{whole if name is None else shorten(name) or '(no name)'} {detail}."
        for name, _, detail in wrong[:_ERRORS_IN_DETAIL]
    ]
    if len(wrong) > len(told):
        told.append(f"{len(wrong) - len(told)} more are wrong.")
    return " ".join(told)


def shorten(name: str) -> str:
    """Return a name as it is told of."""
    return name[:MAX_NAME_CHARACTERS]
