"""What clients send, turned into typed values or into the problem that says all that is wrong."""

import codecs
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qsl, quote

import msgspec
from msgspec import Struct, inspect

from handlers.explaining import (
    LONE_SURROGATE,
    MAX_NAME_CHARACTERS,
    Wrong,
    explain,
    explain_unknown,
    fields_of,
    missing,
    shorten,
    summarise,
)
from handlers.problems import FieldError, RequestProblem

T = TypeVar("T", bound=Struct)

MAX_FIELDS = 100
"""Most parameters of a query or fields of a form; no call of ours has ten."""

MAX_ERRORS = 100
"""Most wrong members that an answer tells of: as many as a query may have parameters."""

_NO_BYTES_OF_UTF_8 = re.compile("[\udc80-\udcff]")
"""Stand for bytes that are not UTF-8, by Python's error handler ``surrogateescape``."""

_INTEGER = re.compile("-?(?:0|[1-9][0-9]*)")
_MAX_DIGITS = 4300
"""Python reads no integer with more (`sys.set_int_max_str_digits`)."""
_HUGE: int = 10**_MAX_DIGITS
"""Stands for every integer with more digits: it is above all limits, as they are."""


class NoParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """The query of a call that has no parameters."""


Check = Callable[[str], tuple[str, str] | None]
"""Takes the text of a parameter; returns a code and what is wrong with it, or None."""


# --- JSON


def parse_json(body: bytes, kind: type[T], shown: type[Struct]) -> T:
    """Return a JSON body as a value of ``kind``.

    Stricter than JSON parsers are by themselves: two readers must not see two things
    (RFC 8259, section 4; RFC 7493, sections 2.1 to 2.3).

    Args:
        body: what was sent.
        kind: what it should be; all its members stand at the top.
        shown: how the resource is shown. Its other members can be read only.

    Raises:
        RequestProblem: 400 for what is no proper JSON, 422 for what is not of this kind.
    """
    document = _load_json(body)
    is_object = isinstance(document, dict)
    if is_object and not any(map(_is_no_text, document.values())):
        try:
            return msgspec.convert(document, kind)
        except msgspec.ValidationError:
            pass  # It says only the first thing that is wrong.
    wrong = (
        _wrong_members(document, kind, shown)
        if is_object
        else [Wrong(None, "wrong_type", "must be an object")]
    )
    raise RequestProblem(
        "invalid-content",
        summarise(wrong, "The document"),
        errors=[
            FieldError(pointer=_pointer(name), code=code, detail=detail)
            for name, code, detail in wrong[:MAX_ERRORS]
        ],
    )


def _load_json(body: bytes) -> Any:
    try:
        return _decoder.decode(body.decode("utf-8"))
    except RecursionError:
        raise RequestProblem("malformed-json", "The JSON is nested too deeply.") from None
    except UnicodeDecodeError as error:
        byte = f"byte {error.start + 1} is 0x{body[error.start]:02X}"
        raise RequestProblem("malformed-json", f"The body is not UTF-8: {byte}.") from None
    except json.JSONDecodeError as error:
        detail = (
            "A byte order mark stands before the JSON"
            if body.startswith(codecs.BOM_UTF8)
            else f"{error}"
        )
        raise RequestProblem("malformed-json", f"{detail}.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    for name in members:
        if _is_no_text(name):
            raise RequestProblem("malformed-json", "A name holds half a surrogate pair.")
    if len(members) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = json.dumps(shorten(counts.most_common(1)[0][0]), ensure_ascii=False)
        raise RequestProblem("malformed-json", f"The name {twice} stands twice in one object.")
    return members


def _is_no_text(value: object) -> bool:
    return (
        isinstance(value, str) and not value.isascii() and LONE_SURROGATE.search(value) is not None
    )


def _integer(text: str) -> int:
    if len(text) <= _MAX_DIGITS:
        return int(text)
    return -_HUGE if text.startswith("-") else _HUGE


def _refuse_constant(name: str) -> NoReturn:
    raise RequestProblem("malformed-json", f"{name} is not JSON.")


# PERF: `json.loads` would make a decoder for each body.
_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_refuse_constant, parse_int=_integer
)


def _wrong_members(
    members: Mapping[str, Any], kind: type[Struct], shown: type[Struct]
) -> list[Wrong]:
    known = fields_of(kind)
    wrong = []
    for name, value in members.items():
        if name not in known:
            wrong.append(Wrong(name, *explain_unknown(name, known, fields_of(shown))))
        elif problem := explain(value, known[name].kind):
            wrong.append(Wrong(name, *problem))
    return wrong + missing(known, members)


def _pointer(name: str | None) -> str:
    """Return the JSON Pointer of a member (RFC 6901); of one with an endless name, its object's."""
    if name is None or len(name) > MAX_NAME_CHARACTERS:
        return "#"
    return "#/" + quote(name.replace("~", "~0").replace("/", "~1"))


# --- Queries and forms


def parse_query(query: str, kind: type[T], checks: Mapping[str, Check] = MappingProxyType({})) -> T:
    """Return a query string as a value of ``kind``, whose fields are its parameters.

    Raises:
        RequestProblem: 400 naming each parameter that is unknown, repeated or of no use.
    """
    return convert_parameters(parse_pairs(query), kind, checks)


def parse_pairs(text: str) -> list[tuple[str, str]]:
    """Return the names and values of a query string or a form (the URL standard, 5.1).

    Bytes that are not UTF-8 stand in them by the error handler ``surrogateescape``.

    Raises:
        RequestProblem: 400 for too many.
    """
    try:
        return parse_qsl(
            text, keep_blank_values=True, errors="surrogateescape", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        refuse_too_many_fields()


def refuse_too_many_fields() -> NoReturn:
    """Raise the problem that too many parameters or form fields are answered with."""
    raise RequestProblem("invalid-parameter", f"There are more than {MAX_FIELDS} parameters.")


def convert_parameters(
    pairs: Iterable[tuple[str, str]],
    kind: type[T],
    checks: Mapping[str, Check] = MappingProxyType({}),
) -> T:
    """Return parameters as a value of ``kind``; the texts of numbers become numbers.

    Args:
        pairs: names and values, as `parse_pairs` returns them.
        kind: has a field for each; others are refused or ignored, as its configuration says.
        checks: tell more than the types of the fields, by the names of parameters. They are asked
            only where something else is wrong, so that all is told: the caller has to find it
            anyway.

    Raises:
        RequestProblem: 400 naming each parameter that is wrong.
    """
    values, problems = _sort_parameters(pairs, kind)
    if not problems:
        try:
            return msgspec.convert(values, kind)
        except msgspec.ValidationError:
            pass  # It says only the first thing that is wrong.
    known = fields_of(kind)
    wrong = []
    for name, value in values.items():
        problem = problems.get(name) or explain(value, known[name].kind)
        if problem is None and name in checks:
            problem = checks[name](value)
        if problem is not None:
            shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            wrong.append(Wrong(shown, *problem))
    raise _parameter_problem(wrong + missing(known, values))


def _sort_parameters(
    pairs: Iterable[tuple[str, str]], kind: type[Struct]
) -> tuple[dict[str, Any], dict[str, tuple[str, str]]]:
    """Return the values by their names, and what is wrong with names and bytes."""
    known = fields_of(kind)
    values: dict[str, Any] = {}
    problems: dict[str, tuple[str, str]] = {}
    for name, text in pairs:
        if name not in known and not kind.__struct_config__.forbid_unknown_fields:
            continue  # Whatever it is: a picture, say.
        value: Any = text
        if problem := _explain_bytes(name, text):
            problems[name] = problem
        elif name not in known:
            problems[name] = explain_unknown(name, known)
        elif name in values:
            problems[name] = ("repeated", "is given more than once")
        elif isinstance(known[name].kind, inspect.IntType) and _INTEGER.fullmatch(text):
            value = _integer(text)
        values[name] = value
    return values, problems


def _explain_bytes(name: str, text: str) -> tuple[str, str] | None:
    if _NO_BYTES_OF_UTF_8.search(name):
        return "invalid_character", "is a name that is not UTF-8"
    if not text.isascii() and (found := _NO_BYTES_OF_UTF_8.search(text)):
        return "invalid_character", f"is not UTF-8 at character {found.start() + 1}"
    return None


def refuse_parameter(name: str, code: str, detail: str) -> NoReturn:
    """Raise the problem that a query parameter or form field is answered with."""
    raise _parameter_problem([Wrong(name, code, detail)])


def _parameter_problem(wrong: Sequence[Wrong]) -> RequestProblem:
    return RequestProblem(
        "invalid-parameter",
        summarise(wrong, ""),
        errors=[
            FieldError(parameter=shorten(name or ""), code=code, detail=detail)
            for name, code, detail in wrong
        ],
    )
