"""What clients saw of the service: operations with their begin and end on one clock.

A client names the todos it makes and numbers what it writes into them, in the content itself:
``c1-17 48`` is write 48 to the todo ``c1-17``. So a todo whose creation was never acknowledged is
known when it turns up, and what an answer without a ``rev`` shows is known too.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

Action = Literal["create", "patch", "finish", "delete", "read", "list"]

Outcome = Literal["done", "absent", "unknown", "refused"]
"""``absent``: 404. ``unknown``: 503, 504 or no answer; a write may then happen at any later time.
``refused``: any answer that nobody should ever get."""

MONGODB = -1
"""The process of an operation that asked MongoDB itself."""


class Seen(Struct, frozen=True, array_like=True, gc=False):
    """A todo as an answer showed it."""

    todo: str
    rev: int
    """0 if the answer does not tell."""
    number: int
    """Of the write whose content it has; 0 is its creation."""
    is_finished: bool
    created: int
    """Microseconds since the epoch: its place in the lists."""
    id: str


class Page(Struct, frozen=True):
    """What an answer showed, and which part of the list that is.

    A todo that was created between the two times, both exclusive, and is not among the items is
    not in the list. None has no bound on that side; a page of a single todo covers nothing.
    """

    items: tuple[Seen, ...]
    covers: tuple[int | None, int | None] | None = None


class Operation(Struct, frozen=True, tag="operation", omit_defaults=True):
    """One request; times are nanoseconds of the machine's monotonic clock."""

    client: int
    process: int
    start: int
    end: int
    action: Action
    outcome: Outcome
    todo: str = ""
    number: int = 0
    """Of a write of content."""
    page: Page | None = None
    """What the answer showed, if it showed any todo."""
    remark: str = ""
    """What a person wants to know of it: the target, the status."""

    @property
    def is_write(self) -> bool:
        """Tell whether it was to change something."""
        return self.action not in ("read", "list")


class _PageLine(Struct, frozen=True, tag="page"):
    place: int
    page: Page


class _OperationLine(Struct, frozen=True, tag="operation"):
    operation: Operation
    place: int | None


_Line = _PageLine | _OperationLine


def write_history(path: Path, operations: Iterable[Operation]) -> None:
    """Write operations as JSON lines; a page that many answers showed is written once."""
    encode = msgspec.json.encode
    places: dict[int, int] = {}
    with path.open("wb") as lines:
        for operation in operations:
            place = None
            if operation.page is not None:
                place = places.get(id(operation.page))
                if place is None:
                    place = places[id(operation.page)] = len(places)
                    lines.write(encode(_PageLine(place, operation.page)) + b"\n")
                operation = msgspec.structs.replace(operation, page=None)  # noqa: PLW2901
            lines.write(encode(_OperationLine(operation, place)) + b"\n")


def read_history(path: Path) -> list[Operation]:
    """Return the operations of a file; equal todos and pages are one object."""
    decoder = msgspec.json.Decoder(_Line)
    pages: list[Page] = []
    known: dict[Seen, Seen] = {}
    operations = []
    with path.open("rb") as lines:
        for line in lines:
            entry = decoder.decode(line)
            if isinstance(entry, _PageLine):
                items = tuple(known.setdefault(seen, seen) for seen in entry.page.items)
                pages.append(Page(items, entry.page.covers))
            elif entry.place is None:
                operations.append(entry.operation)
            else:
                page = pages[entry.place]
                operations.append(msgspec.structs.replace(entry.operation, page=page))
    return operations
