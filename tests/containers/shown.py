"""Reads what ``tornado-todo --show-settings`` prints."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Shown:
    """A setting's value, and where it comes from."""

    value: str
    origin: str


def read_shown(text: str) -> dict[str, Shown]:
    """Return the settings by name."""
    _, *rows = (re.split(r"\s{2,}", line.strip()) for line in text.splitlines())
    return {name: Shown(value, origin) for name, value, origin in rows}
