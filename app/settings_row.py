"""What one setting is: its type, unit, limits and reason, and how its value is read and checked."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar, get_args

Value = str | int | float | bool | Path
Group = Literal["Listening", "Servers", "Limits", "Time limits", "Logging"]
GROUPS: tuple[Group, ...] = get_args(Group)
"""In the order in which people see them."""
T = TypeVar("T", bound=Value)

BOOLEAN_WORDS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


class SettingsError(ValueError):
    """A setting that is unknown, unreadable or has an impossible value; the text is for people."""

    def __init__(self, sentence: str, *, setting_name: str = "") -> None:
        super().__init__(sentence)
        self.setting_name = setting_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row of the table: what a setting is called, what it may hold, and why."""

    name: str
    kind: type[Value]
    default: Value
    group: Group
    help: str
    unit: str
    minimum: float
    maximum: float
    choices: tuple[str, ...]
    schemes: tuple[str, ...]
    reason: str

    @property
    def flags(self) -> tuple[str, ...]:
        """The command-line flags: ``--max-body-bytes``, or ``--access-log`` and its negation."""
        dashed = self.name.replace("_", "-")
        return (f"--{dashed}", f"--no-{dashed}") if self.kind is bool else (f"--{dashed}",)

    @property
    def variable(self) -> str:
        """The environment variable, such as ``TODO_MAX_BODY_BYTES``."""
        return "TODO_" + self.name.upper()

    @property
    def placeholder(self) -> str:
        """What stands for the value in --help, such as ``BYTES``."""
        return self.name.rpartition("_")[2].upper()

    @property
    def limits(self) -> str:
        """What the value may be, as text for people: ``1 to 1000 connections``."""
        if self.kind in (int, float):
            return f"{self.minimum} to {self.maximum} {self.unit}".rstrip()
        if self.schemes:
            return one_of([*self.choices, *(scheme + "..." for scheme in self.schemes)])
        return one_of(self.choices) if self.choices else self.unit

    def parse(self, text: str) -> Value:
        """Turn the text of a flag, variable or file into this setting's type.

        Raises:
            SettingsError: the text is empty or is no value of that type.

        """
        if not text.strip():
            raise self.error("must not be empty")
        if self.kind is bool:
            if text.strip().lower() not in BOOLEAN_WORDS:
                raise self.error(f"must be one of {', '.join(BOOLEAN_WORDS)}, not {quoted(text)}")
            return BOOLEAN_WORDS[text.strip().lower()]
        if self.kind is Path and is_address(text):
            raise self.error(NO_ADDRESS)
        if self.kind is Path:  # No shell expands a "~" in a file or behind a "=".
            return Path(text).expanduser()
        try:
            # Every kind left is built from one string.
            value: Value = self.kind(text)
        except ValueError:
            number = "a whole number" if self.kind is int else "a number"
            raise self.error(f"must be {number}, not {quoted(text)}") from None
        return value

    def check(self, value: Value) -> None:
        """Refuse a value outside the row's limits.

        Raises:
            SettingsError: names the setting, what it may be, and what it was.

        """
        if isinstance(value, bool):
            return
        if isinstance(value, int | float):
            # Negated, so that NaN is refused too.
            if not self.minimum <= value <= self.maximum:
                bounds = f"{self.minimum} and {self.maximum} {self.unit}".rstrip()
                raise self.error(f"must be between {bounds}, not {value}")
        elif not str(value).isprintable():
            # An indented line of the config file continues the value above it.
            raise self.error("must be one line of printable text")
        elif self.schemes:
            # SECURITY: not even a wrong address is repeated, since it may hold a password.
            if value not in self.choices and not str(value).startswith(self.schemes):
                raise self.error(f"must be {self.limits}")
        elif self.choices and value not in self.choices:
            raise self.error(f"must be {self.limits}, not {quoted(str(value))}")

    def text(self, value: Value) -> str:
        """Write a value the way `parse` reads it."""
        return str(value).lower() if self.kind is bool else str(value)

    def error(self, problem: str) -> SettingsError:
        """Return the error that says `problem` of this setting, to be raised."""
        return SettingsError(f"{self.name} {problem}", setting_name=self.name)


def setting(
    default: T,
    *,
    group: Group,
    help: str,  # noqa: A002  # argparse's word for the same thing
    unit: str = "",
    minimum: float = -math.inf,
    maximum: float = math.inf,
    choices: tuple[str, ...] = (),
    schemes: tuple[str, ...] = (),
    reason: str = "",
) -> T:
    """Make a field of `Settings`: the rest of its row of the table goes into the metadata.

    A number has a `minimum` and a `maximum`, both allowed. A text with `schemes` is an address that
    begins with one of them, or is one of the `choices`; without, it is one of the `choices` if any.
    """
    row = {
        "group": group,
        "help": help,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "schemes": schemes,
        "reason": reason,
    }
    # SECURITY: an address may hold a password, and a repr ends up in logs.
    return field(default=default, repr=not schemes, metadata=row)


def one_of(words: Sequence[str]) -> str:
    """Join words as a sentence does: ``a, b or c``."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


_SCHEME = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:)?//|(?:mongodb(?:\+srv)?|rediss?|unix|https?):/?", re.IGNORECASE
)
_NO_PORT = re.compile(r"((?:^|,)[^:,/?#\[]*):(?!\d{1,5}(?:[,/?#]|$))[^,/?#]+")
_SECRET_PARAMETER = re.compile(
    r"([?&;][^=&;]*(?:pass|pwd|secret|token|credential|properties)[^=&;]*=)[^&;]*", re.IGNORECASE
)


def quoted(text: str) -> str:
    """Return a wrong value as an error repeats it: it may be an address that was put there."""
    return repr(redact(text))


_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:/|[^/]*:.*@", re.IGNORECASE | re.DOTALL)

NO_ADDRESS = "must be a path on this machine, not an address"


def is_address(path: str) -> bool:
    """Tell whether what stands in the place of a path is an address, or the login of one.

    SECURITY: it may hold a password, and paths are shown as they are.
    """
    return _ADDRESS.match(path) is not None


def redact(address: str) -> str:
    """Replace the passwords in an address by ``***``: rather too much of it than too little.

    The address may be broken in any way, or be no address at all.
    """
    scheme = _SCHEME.match(address)
    begin = address[: scheme.end()] if scheme else ""
    # The last "@": a password that somebody forgot to escape may itself hold "@", "/" or "?".
    login, at, place = address[len(begin) :].rpartition("@")
    user = re.split("[:@/?#%&]", login, maxsplit=1)[0]
    if login != user:
        login = f"{user}:***"
    elif login and not begin.lower().startswith("mongodb"):
        login = "***"  # Redis's users forget the colon before a password.
    # What stands behind a host's colon and is no port may be a password without its "@".
    place = _NO_PORT.sub(r"\1:***", place) if scheme else place
    return begin + login + at + _SECRET_PARAMETER.sub(r"\1***", place)
