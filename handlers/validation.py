"""What clients send, turned into typed values or into the problem that says what is wrong."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qsl, quote

import msgspec

from handlers.problems import FieldError, RequestProblem

T = TypeVar("T")

MAX_FIELDS = 100
"""Most parameters of a query or fields of a form; no call of ours has ten."""

_MAX_NAME_CHARACTERS = 100
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_NO_TEXT = "holds a control character or half a surrogate pair"

# What msgspec says, and the code and words that we give it; a test pins each row.
_AT = r" - at `\$\.(?P<name>[^`]*)`"
_RULES = tuple(
    (re.compile(pattern, re.DOTALL), code, detail)
    for pattern, code, detail in (
        (r"Object contains unknown field `(?P<name>.*)`", "unknown_field", "is not known here"),
        (r"Object missing required field `(?P<name>.*)`", "missing", "is required"),
        (rf"Expected `str` of length >= 1{_AT}", "too_short", "must not be empty"),
        (
            rf"Expected `str` of length <= (?P<limit>\d+){_AT}",
            "too_long",
            "is longer than {limit} characters",
        ),
        (
            rf"Expected `str` matching regex .*{_AT}",
            "invalid_character",
            _NO_TEXT,
        ),
        (rf"Invalid enum value .*{_AT}", "not_allowed", "is none of the values allowed here"),
        (rf"Expected `int` >= (?P<limit>\d+){_AT}", "too_small", "is below {limit}"),
        (rf"Expected `int` <= (?P<limit>\d+){_AT}", "too_large", "is above {limit}"),
        (rf"Expected `(?P<kind>[^`]*)`, got `[^`]*`{_AT}", "wrong_type", "must be {kind}"),
        (r"Expected `(?P<kind>[^`]*)`, got `[^`]*`", "wrong_type", "must be {kind}"),
    )
)
_KINDS = {
    "str": "a string",
    "int": "an integer",
    "bool": "true or false",
    "object": "an object",
}


def parse_json(body: bytes, kind: type[T]) -> T:
    """Return a JSON body as a value of ``kind``.

    Stricter than JSON parsers are by themselves: two readers must not see two things
    (RFC 8259, section 4; RFC 7493, sections 2.1 to 2.3).

    Raises:
        RequestProblem: 400 for what is no proper JSON, 422 for what is not of this kind.
    """
    try:
        document = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except RecursionError:
        raise RequestProblem("malformed-json", "The JSON is nested too deeply.") from None
    except UnicodeDecodeError:
        raise RequestProblem("malformed-json", "The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise RequestProblem("malformed-json", f"{error}.") from None
    except ValueError:  # Python's bound against quadratic conversions: 4300 digits.
        raise RequestProblem("malformed-json", "A number has too many digits.") from None
    try:
        return msgspec.convert(document, kind)
    except UnicodeEncodeError:  # How msgspec fails on such a text in the place of an object.
        raise RequestProblem("malformed-json", "A text holds half a surrogate pair.") from None
    except msgspec.ValidationError as error:
        name, code, detail = _explain(str(error))
        _refuse_member(name, code, detail)


def parse_query(query: str, kind: type[T]) -> T:
    """Return a query string as a value of ``kind``, whose fields are its parameters.

    Raises:
        RequestProblem: 400 naming the parameter that is unknown, repeated or of no use.
    """
    return convert_parameters(parse_pairs(query), kind)


def parse_pairs(text: str) -> dict[str, str]:
    """Return the names and values of a query string or a form (the URL standard, 5.1).

    Raises:
        RequestProblem: 400 for too many, for a repeated name and for what is not UTF-8.
    """
    try:
        text.encode()  # Bytes that are not UTF-8 stand as lone surrogates, which this refuses.
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeError:
        raise RequestProblem("invalid-parameter", "The parameters are not UTF-8.") from None
    except ValueError:
        raise RequestProblem(
            "invalid-parameter", f"There are more than {MAX_FIELDS} parameters."
        ) from None
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            refuse_parameter(name, "repeated", "is given more than once")
        values[name] = value
    return values


def convert_parameters(values: Mapping[str, str], kind: type[T]) -> T:
    """Return parameters as a value of ``kind``; the texts of numbers become numbers.

    Raises:
        RequestProblem: 400 naming the parameter that is wrong.
    """
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        name, code, detail = _explain(str(error))
        refuse_parameter(name or "", code, detail)


def refuse_parameter(name: str, code: str, detail: str) -> NoReturn:
    """Raise the problem that a query parameter or form field is answered with."""
    name = name[:_MAX_NAME_CHARACTERS]
    raise RequestProblem(
        "invalid-parameter",
        f"{name} {detail}.",
        errors=[FieldError(parameter=name, code=code, detail=detail)],
    )


def _explain(message: str) -> tuple[str | None, str, str]:
    """Return the field that msgspec's message is about, our code for it and our words."""
    for pattern, code, detail in _RULES:
        if match := pattern.fullmatch(message):
            said = match.groupdict()
            name = said.pop("name", None)
            if "kind" in said:
                said["kind"] = _KINDS.get(said["kind"], said["kind"])
            return name, code, detail.format(**said)
    return None, "invalid", "is not valid"


def _refuse_member(name: str | None, code: str, detail: str) -> NoReturn:
    named = "The document" if name is None else name[:_MAX_NAME_CHARACTERS]
    raise RequestProblem(
        "invalid-content",
        f"{named} {detail}.",
        errors=[FieldError(pointer=_pointer(name), code=code, detail=detail)],
    ) from None


def _pointer(name: str | None) -> str:
    """Return the JSON Pointer of a member (RFC 6901); of one with an endless name, its object's."""
    if name is None or len(name) > _MAX_NAME_CHARACTERS:
        return "#"
    return "#/" + quote(name.replace("~", "~0").replace("/", "~1"))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise RequestProblem("malformed-json", "A name stands twice in one JSON object.")
    for name, value in members.items():
        if _is_no_text(name):
            raise RequestProblem("malformed-json", "A name holds half a surrogate pair.")
        if isinstance(value, str) and _is_no_text(value):
            _refuse_member(name, "invalid_character", _NO_TEXT)
    return members


def _is_no_text(text: str) -> bool:
    return not text.isascii() and _LONE_SURROGATE.search(text) is not None


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):  # Readers disagree about it (RFC 8259, section 6).
        raise RequestProblem("malformed-json", "A number is too large.")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise RequestProblem("malformed-json", f"{name} is not JSON.")
