"""Values with parameters, as in Content-Type and Content-Disposition."""

import re
from collections.abc import Mapping
from typing import NamedTuple

MAX_PARAMETERS = 20
"""Of one value; media types have two or three. Without a limit one field could hold thousands."""

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Unquoted values of more characters than a token has are sent, boundaries with "/" or "=" in them.
_PARAMETER = rf'(?P<name>{_NAME})=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s;,"]*))'
_NEXT = re.compile(rf"[ \t]*(?:;[ \t]*)+(?:{_PARAMETER})?", re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


class Parameterised(NamedTuple):
    """A value such as ``text/html; charset=utf-8``: its first part, and its parameters."""

    first: str
    """In lower case."""

    parameters: Mapping[str, str]
    """By their names in lower case, without quotes; of a name that stands twice the first."""


def parse_parameterised(value: str) -> Parameterised | None:
    """Return a header field's value in its parts; None if its parameters are too many or malformed.

    RFC 9110, section 5.6.6; quotes are as in RFC 2045, section 5.1.
    """
    first = value.partition(";")[0]
    parameters: dict[str, str] = {}
    at = len(first.rstrip(" \t"))
    end = len(value.rstrip(" \t"))
    for _ in range(MAX_PARAMETERS + 1):
        if at >= end:
            return Parameterised(first.strip(" \t").lower(), parameters)
        found = _NEXT.match(value, at)
        if found is None:
            return None
        if found["name"] is not None:
            text = found["plain"]
            if text is None:
                text = _QUOTED_PAIR.sub(r"\1", found["quoted"])
            parameters.setdefault(found["name"].lower(), text)
        at = found.end()
    return None
