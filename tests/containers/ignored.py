"""Tells what a .dockerignore keeps out of the build context, as Docker reads it."""

import re
from pathlib import Path


def is_ignored(path: str, ignore_file: Path) -> bool:
    """Tell whether Docker leaves a file out: of the lines that match it, the last one counts."""
    ignored = False
    for line in ignore_file.read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            keeps = pattern.startswith("!")
            if _matches(path, pattern.removeprefix("!").strip("/")):
                ignored = not keeps
    return ignored


def _matches(path: str, pattern: str) -> bool:
    # A pattern that matches a folder matches all that is in it.
    parts = path.split("/")
    expression = re.compile(_expression(pattern))
    return any(expression.fullmatch("/".join(parts[:end])) for end in range(1, len(parts) + 1))


def _expression(pattern: str) -> str:
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    found = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return "".join(pieces.get(piece, re.escape(piece)) for piece in found)
