"""Tells whether what clients saw can be true of one store that never forgets and never goes back.

Every todo is checked by itself, by its own ``rev``; a list read is a read of every todo on it, and
of every todo that should be on it. The operations are walked through once, in the order of their
times. A todo's *floor* is the highest version that was acknowledged, or read, so far; being
deleted is the highest version of all.

1. What is read has at least the version that was the floor when the read began.
2. Nothing is read that was written by nobody, refused, or begun only after the read had ended.
3. An acknowledged change has a version above the floor at its begin.
4. In the end MongoDB holds each acknowledged change, and no more than were asked for.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from typing import NamedTuple

from freshness_history import MONGODB, Operation, Page, Seen
from freshness_verdict import Verdict

GONE = 1 << 60
"""The version of a todo that was deleted."""

_NEVER = 1 << 62


class _Todo:
    """What is known of one todo at some point of the walk, and what was ever asked for it."""

    __slots__ = (
        *("changes", "created", "deleting", "finishing", "floor", "floor_by", "finished_by"),
        *("faces", "id", "name", "seen_by", "writes"),
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.floor = 0
        self.floor_by: Operation | None = None
        self.finished_by: Operation | None = None
        self.writes: dict[int, Operation] = {}  # By number; the creation is 0.
        self.changes: list[int] = []  # When what may have changed it began, sorted.
        self.finishing = _NEVER
        self.deleting = _NEVER
        self.faces: dict[tuple[int, bool], int] = {}  # What is seen -> rev.
        self.seen_by: dict[int, tuple[Seen, Operation]] = {}  # By rev.
        self.created: int | None = None
        self.id = ""


class _Row(NamedTuple):
    """A todo on a page: the version that it shows, at least and at most."""

    todo: _Todo
    least: int
    most: int
    is_finished: bool
    begun: int
    """No answer that ended before can show this."""


def check(
    operations: Sequence[Operation],
    *,
    may_be_repeated: Callable[[Operation], bool] = lambda _: False,
) -> Verdict:
    """Return what is wrong with these operations, in any order.

    A DELETE that ``may_be_repeated`` may have deleted what its answer did not find.
    """
    return _Walk(operations, may_be_repeated).run()


class _Walk:
    def __init__(
        self, operations: Sequence[Operation], may_be_repeated: Callable[[Operation], bool]
    ) -> None:
        self._operations = operations
        self._may_be_repeated = may_be_repeated
        self._verdict = Verdict()
        self._todos: dict[str, _Todo] = {}
        self._rows: dict[int, tuple[_Row, ...]] = {}
        self._present: list[tuple[int, str]] = []  # Places of todos that are there, sorted.
        self._placeless: set[str] = set()
        self._absent: dict[int, list[_Todo]] = {}  # By operation: what it has found deleted.

    def run(self) -> Verdict:
        self._verdict.operations = len(self._operations)
        self._take_writes()
        self._take_pages()
        ending = sorted(self._operations, key=lambda operation: operation.end)
        next_end = 0
        for operation in sorted(self._operations, key=lambda operation: operation.start):
            while ending[next_end].end < operation.start:
                self._end(ending[next_end])
                next_end += 1
            self._begin(operation)
        for operation in ending[next_end:]:
            self._end(operation)
        self._settle()
        return self._verdict

    # What was ever asked for.

    def _take_writes(self) -> None:
        for operation in self._operations:
            if operation.outcome == "refused":
                sentence = f"nobody should ever be answered {operation.remark}"
                self._verdict.accuse("refused", operation.todo, sentence, operation)
            is_repeated = operation.action == "delete" and self._may_be_repeated(operation)
            if not operation.is_write or (operation.outcome == "absent" and not is_repeated):
                continue
            todo = self._todo(operation.todo)
            if operation.action == "delete":
                todo.deleting = min(todo.deleting, operation.start)
            elif operation.action == "finish":
                todo.finishing = min(todo.finishing, operation.start)
            else:
                todo.writes[operation.number] = operation
                if operation.action == "patch":
                    todo.changes.append(operation.start)
        for todo in self._todos.values():
            if todo.finishing != _NEVER:  # It changes once, however often it is asked for.
                todo.changes.append(todo.finishing)
            todo.changes.sort()

    def _todo(self, name: str) -> _Todo:
        todo = self._todos.get(name)
        if todo is None:
            todo = self._todos[name] = _Todo(name)
        return todo

    # What was ever seen. A page that many answers showed is one object, and looked at once.

    def _take_pages(self) -> None:
        first: dict[int, tuple[Page, Operation]] = {}
        for operation in self._operations:
            page = operation.page
            if page is not None:
                self._verdict.sightings += len(page.items)
                first.setdefault(id(page), (page, operation))
        for page, operation in first.values():
            names = [seen.todo for seen in page.items]
            if len(set(names)) < len(names):
                self._verdict.accuse("doubled", names[0], "or another is there twice", operation)
            for seen in page.items:
                self._compare(seen, operation)
        for key, (page, operation) in first.items():
            self._rows[key] = tuple(self._row(seen, operation) for seen in page.items)

    def _compare(self, seen: Seen, operation: Operation) -> None:
        """Hold a todo against how others have seen the same one, the same version."""
        todo = self._todo(seen.todo)
        if not todo.id:
            todo.id, todo.created = seen.id, seen.created
        elif todo.id != seen.id or abs(todo.created - seen.created) > 1:
            sentence = f"is two todos, {todo.id} and {seen.id}, or was created at two times"
            self._verdict.accuse("doubled", seen.todo, sentence, operation)
        if not seen.rev:
            return
        other, by = todo.seen_by.setdefault(seen.rev, (seen, operation))
        if (other.number, other.is_finished) != (seen.number, seen.is_finished):
            sentence = f"shows write {other.number} and write {seen.number} as rev {seen.rev}"
            self._verdict.accuse("two faces", seen.todo, sentence, by, operation)
        todo.faces.setdefault((seen.number, seen.is_finished), seen.rev)

    def _row(self, seen: Seen, operation: Operation) -> _Row:
        todo = self._todos[seen.todo]
        rev = seen.rev or todo.faces.get((seen.number, seen.is_finished), 0)
        write = todo.writes.get(seen.number)
        begun = _NEVER if write is None else write.start
        if seen.is_finished:
            begun = max(begun, todo.finishing)
        if rev > 1:
            begun = max(begun, todo.changes[rev - 2] if rev - 2 < len(todo.changes) else _NEVER)
        if begun == _NEVER:
            sentence = f"shows rev {rev} with write {seen.number}, which nobody made"
            self._verdict.accuse("never written", seen.todo, sentence, operation)
            begun = 0
        if not rev:
            self._verdict.unresolved += 1
        return _Row(todo, rev or 1, rev or GONE - 1, seen.is_finished, begun)

    # The walk.

    def _begin(self, operation: Operation) -> None:
        page = operation.page
        if page is not None:
            rows = self._rows[id(page)]
            is_change = operation.action == "patch"
            for todo, _, most, is_finished, begun in rows:
                if most < todo.floor + is_change or (
                    not is_finished and todo.finished_by is not None
                ):
                    self._accuse_old(operation, todo, most)
                if begun >= operation.end:
                    sentence = "shows a write that began only after this answer"
                    self._verdict.accuse("future", todo.name, sentence, operation)
            if page.covers is not None:
                self._look_for_missing(operation, page.covers, {row.todo.name for row in rows})
        elif operation.outcome == "absent":
            self._find_absent(operation, self._todo(operation.todo))
        elif operation.outcome == "done" and operation.is_write:
            todo = self._todo(operation.todo)
            if todo.floor == GONE:
                sentence = f"a {operation.action} was acknowledged after it was gone"
                self._verdict.accuse("undead", todo.name, sentence, todo.floor_by, operation)

    def _accuse_old(self, operation: Operation, todo: _Todo, version: int) -> None:
        is_low = version < todo.floor + (operation.action == "patch")
        by = todo.floor_by if is_low else todo.finished_by
        rule = "stale" if by is None or by.is_write else "backwards"
        floor = "gone" if todo.floor == GONE else f"at rev {todo.floor}"
        if todo.finished_by is not None:
            floor += ", finished,"
        shown = f"rev {version}" if version < GONE - 1 else "it, with an unknown rev"
        sentence = f"was {floor} before this {operation.action} began, which shows {shown}"
        self._verdict.accuse(rule, todo.name, sentence, by, operation)

    def _look_for_missing(
        self, operation: Operation, covers: tuple[int | None, int | None], shown: set[str]
    ) -> None:
        oldest, newest = covers
        # One microsecond of grace: two formats round times differently.
        low = 0 if oldest is None else bisect_right(self._present, (oldest + 2, ""))
        high = bisect_left(self._present, (_NEVER if newest is None else newest - 1, ""))
        for _, name in self._present[low:high]:
            if name not in shown:
                self._find_absent(operation, self._todos[name])
        if oldest is None and newest is None:
            for name in self._placeless - shown:
                self._find_absent(operation, self._todos[name])

    def _find_absent(self, operation: Operation, todo: _Todo) -> None:
        if not 0 < todo.floor < GONE:
            return  # It need not be there yet, or is known to be deleted.
        if todo.deleting < operation.end:
            self._absent.setdefault(id(operation), []).append(todo)
        else:
            sentence = f"was at rev {todo.floor}, nobody had asked to delete it, and it is missing"
            self._verdict.accuse("missing", todo.name, sentence, todo.floor_by, operation)

    def _end(self, operation: Operation) -> None:
        if operation.page is not None:
            for todo, least, _, is_finished, _ in self._rows[id(operation.page)]:
                if least > todo.floor:
                    self._raise(todo, least, operation)
                if is_finished and todo.finished_by is None:
                    todo.finished_by = operation
        if operation.outcome == "done" and operation.is_write:
            todo = self._todo(operation.todo)
            if operation.action == "finish" and todo.finished_by is None:
                todo.finished_by = operation
            self._raise(todo, GONE if operation.action == "delete" else 1, operation)
        for todo in self._absent.pop(id(operation), ()):
            self._raise(todo, GONE, operation)

    def _raise(self, todo: _Todo, version: int, by: Operation) -> None:
        if version <= todo.floor:
            return
        was, todo.floor, todo.floor_by = todo.floor, version, by
        if version < GONE:
            if was == 0 and todo.created is None:
                self._placeless.add(todo.name)
            elif was == 0:
                insort(self._present, (todo.created, todo.name))
        elif was > 0:
            if todo.created is None:
                self._placeless.discard(todo.name)
            else:
                del self._present[bisect_left(self._present, (todo.created, todo.name))]

    # The end.

    def _settle(self) -> None:
        last = [operation for operation in self._operations if operation.process == MONGODB]
        if not last or last[-1].page is None:
            return
        held = {seen.todo: seen for seen in last[-1].page.items}
        acknowledged: dict[str, list[Operation]] = {name: [] for name in self._todos}
        for operation in self._operations:
            if operation.is_write and operation.outcome == "done":
                acknowledged[operation.todo].append(operation)
        for name, writes in acknowledged.items():
            todo = self._todos[name]
            deletes = [operation for operation in writes if operation.action == "delete"]
            if len(deletes) > 1:
                self._verdict.accuse("undead", name, "was deleted more than once", *deletes)
            if deletes:
                lost = int(name in held)
            elif name not in held:
                lost = len(writes) if todo.deleting == _NEVER else 0
            else:
                changes = sum(operation.action == "patch" for operation in writes)
                changes += any(operation.action == "finish" for operation in writes)
                lost = max(0, changes + 1 - held[name].rev)
            if lost:
                self._verdict.lost += lost
                sentence = f"{lost} acknowledged writes are not in MongoDB in the end"
                self._verdict.accuse("lost", name, sentence, *writes[-3:], last[-1])
