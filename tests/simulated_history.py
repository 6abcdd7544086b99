"""What clients saw, and whether the promise was kept."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

NOT_YET = float("inf")

PENDING, DONE, FAILED, UNKNOWN = "pending", "done", "failed", "unknown"


@dataclass(slots=True, eq=False)
class Operation:
    """What a client asked for and was told.

    Attributes:
        place: the process that is asked.
        todos: what is read or written.
        began: the client's moments, in the order in which they happened.
        ended: the moment of the answer, or of being given up.
        outcome: what the client was told.
        versions: of each todo, what a read returned or a write stored, whoever was told of it.
        stored: what MongoDB had when a read began.
        step: of the simulation, at which the operation ended.
    """

    name: str
    is_write: bool
    place: int
    todos: tuple[str, ...]
    began: float = NOT_YET
    ended: float = NOT_YET
    outcome: str = PENDING
    versions: dict[str, int] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)
    step: int = 0

    def __str__(self) -> str:
        return f"{self.name} at process {self.place}"


class Violation(NamedTuple):
    """A read that should not have been."""

    step: int
    text: str


class History:
    """All operations of a run, each with its begin and end."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._moments = count(1)

    def begin(self, operation: Operation) -> None:
        """Note that a client asks."""
        operation.began = next(self._moments)
        self.operations.append(operation)

    def end(self, operation: Operation, outcome: str, step: int) -> None:
        """Note what a client was told."""
        operation.ended = next(self._moments)
        operation.outcome = outcome
        operation.step = step

    def violations(self, *, is_strict: bool) -> list[Violation]:
        """Return what breaks the promise, the earliest first.

        Args:
            is_strict: a read shows what MongoDB has at some moment after it began, so that no two
                reads go back in time, whether the write was acknowledged or not. Otherwise it
                shows only what had been acknowledged.
        """
        found = [
            Violation(operation.step, text)
            for operation in self.operations
            if operation.outcome == DONE
            for text in self._contradictions(operation, is_strict)
        ]
        return sorted(found)

    def _contradictions(self, operation: Operation, is_strict: bool) -> Iterator[str]:
        if operation.is_write:
            if not operation.versions:
                yield f"{operation} was acknowledged and not stored"
            return
        for todo, seen in operation.versions.items():
            read = f"{operation} returned {todo} at {seen}"
            if is_strict and seen < operation.stored[todo]:
                yield f"{read}, MongoDB had it at {operation.stored[todo]} when that began"
            for write in self.operations:
                if write.is_write:
                    version = write.versions.get(todo, 0)
                    if version > seen and write.outcome == DONE and write.ended < operation.began:
                        yield f"{read}, {version} had been acknowledged to {write}"
                    if 0 < version == seen and write.began > operation.ended:
                        yield f"{read}, which {write} wrote only later"
                    if 0 < version == seen and write.outcome == FAILED:
                        yield f"{read}, which {write} failed to write"
