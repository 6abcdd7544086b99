"""What the checker of `freshness_checker` has found."""

from collections import Counter
from typing import NamedTuple

from freshness_history import Operation

_EXAMPLES = 10
"""Of each rule; one that is broken may be broken a million times."""


class Violation(NamedTuple):
    """Something that must not be, and the operations that prove it."""

    rule: str
    todo: str
    sentence: str
    proof: tuple[Operation, ...]


class Verdict:
    """What the checker found.

    Attributes:
        operations: that were checked.
        sightings: todos on all the answers together.
        unresolved: those of them without a ``rev`` that nothing else told.
        counts: the violations of each rule.
        violations: the first of each rule.
        lost: acknowledged writes that MongoDB does not hold in the end.
    """

    def __init__(self) -> None:
        self.operations = self.sightings = self.unresolved = self.lost = 0
        self.counts: Counter[str] = Counter()
        self.violations: list[Violation] = []

    def accuse(self, rule: str, todo: str, sentence: str, *proof: Operation | None) -> None:
        """Note a violation."""
        self.counts[rule] += 1
        if self.counts[rule] <= _EXAMPLES:
            operations = tuple(operation for operation in proof if operation is not None)
            self.violations.append(Violation(rule, todo, sentence, operations))
