"""Doubles of our own ports that write down how writes are announced and carried out."""

import asyncio
from collections.abc import Collection, Sequence

from gate import turn_loop

from app.domain.todo import Todo, TodoDraft, new_todo
from app.metrics import Metrics
from app.services.freshness import Write
from app.services.writing import Creates


def todo(name: str, owner: str = "public") -> Todo:
    return new_todo(TodoDraft(name), todo_id=name, owner=owner, now=0.0)


class Ledger:
    """Stamps and a repository that write down what they are told, in order.

    A write ends when the test says so; so does the telling of its end, where the test wants that.
    """

    def __init__(self) -> None:
        self.told: list[str] = []
        self.writes: list[tuple[list[str], asyncio.Future[Sequence[Exception | None]]]] = []
        self.mark_error: Exception | None = None
        self.done_error: Exception | None = None
        self.may_be_done = asyncio.Event()
        self.may_be_done.set()
        self.may_be_marked = asyncio.Event()
        self.may_be_marked.set()

    async def mark(self, scopes: Collection[str]) -> Write:
        await asyncio.sleep(0)
        await self.may_be_marked.wait()
        if self.mark_error is not None:
            raise self.mark_error
        self.told.append(f"mark {' '.join(sorted(scopes))}")
        return Write("the write")

    async def done(self, scopes: Collection[str], write: Write) -> None:
        assert write.name == "the write"
        await self.may_be_done.wait()
        if self.done_error is not None:
            raise self.done_error
        self.told.append(f"done {' '.join(sorted(scopes))}")

    async def add_each(self, todos: Sequence[Todo]) -> Sequence[Exception | None]:
        names = [todo.id for todo in todos]
        self.told.append(f"write {' '.join(names)}")
        ended: asyncio.Future[Sequence[Exception | None]]
        ended = asyncio.get_running_loop().create_future()
        self.writes.append((names, ended))
        return await ended

    def end(self, failures: dict[str, Exception] | None = None) -> None:
        """Let the write that is under way succeed, but for these todos."""
        names, ended = self.writes[-1]
        ended.set_result([(failures or {}).get(name) for name in names])

    def fail(self, error: Exception) -> None:
        """Let the write that is under way fail as a whole."""
        self.writes[-1][1].set_exception(error)


def make_creates(
    ledger: Ledger, metrics: Metrics, waiting_limit: int, *, patience_seconds: float = 60.0
) -> Creates:
    return Creates(
        ledger,  # type: ignore[arg-type]
        ledger,
        waiting_limit=waiting_limit,
        metrics=metrics,
        patience_seconds=patience_seconds,
    )


async def start(creates: Creates, *todos: Todo) -> list[asyncio.Future[None]]:
    tasks = [creates.add(one) for one in todos]
    await turn_loop()
    return tasks
