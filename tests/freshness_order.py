"""Tells whether lists are newest first, and times in the order in which todos were created."""

from collections.abc import Sequence
from itertools import pairwise

from freshness_history import MONGODB, Operation
from freshness_verdict import Verdict

_ROUNDING_MICROSECONDS = 1
"""Two formats round times differently."""


def check_order(
    operations: Sequence[Operation], verdict: Verdict, *, clock_jump_seconds: float = 0.0
) -> None:
    """Accuse lists that are not newest first, and todos with times before those of older ones.

    A todo whose creation began when that of another had been acknowledged is the newer one. The
    processes of the service must be on one machine: their clocks are compared.

    Args:
        operations: in any order.
        verdict: takes what is wrong.
        clock_jump_seconds: by how much the processes' clocks may differ, and may be set back.
    """
    created = _look_at_lists(operations, verdict)
    allowed = round(clock_jump_seconds * 1_000_000) + _ROUNDING_MICROSECONDS
    creations = [
        operation
        for operation in operations
        if operation.action == "create"
        and operation.outcome == "done"
        and operation.todo in created
    ]
    ending = sorted(creations, key=lambda creation: creation.end)
    newest: Operation | None = None
    ended = 0
    for creation in sorted(creations, key=lambda creation: creation.start):
        while ending[ended].end < creation.start:
            if newest is None or created[ending[ended].todo] > created[newest.todo]:
                newest = ending[ended]
            ended += 1
        if newest is not None and created[creation.todo] < created[newest.todo] - allowed:
            sentence = f"was created after {newest.todo} and has an earlier time"
            verdict.accuse("misplaced", creation.todo, sentence, newest, creation)


def _look_at_lists(operations: Sequence[Operation], verdict: Verdict) -> dict[str, int]:
    """Return when each todo that was shown was created, in microseconds since the epoch."""
    created: dict[str, int] = {}
    pages = {id(operation.page): operation for operation in operations if operation.page}
    for operation in pages.values():
        assert operation.page is not None
        items = operation.page.items
        created.update((seen.todo, seen.created) for seen in items)
        if operation.process == MONGODB:  # In no order.
            continue
        for above, below in pairwise(items):
            if below.created > above.created + _ROUNDING_MICROSECONDS:
                sentence = f"stands below {above.todo}, which is older"
                verdict.accuse("misplaced", below.todo, sentence, operation)
    return created
