"""A database whose loads end when the test says so, and readers of it."""

import asyncio
from dataclasses import dataclass, field
from time import monotonic

from gate import turn_loop

from app.cache.answers import Answers
from app.cache.bodies import Bodies
from app.cache.reads import Reads
from app.metrics import Metrics
from app.services.freshness import Found, Source, Stamps

SCOPE = "public"


class Broken(Exception):
    """The database failed."""


@dataclass
class Database:
    """Holds one text; a load reads it at once and returns when the test says so."""

    text: str = "first"
    is_held: bool = True
    loads: list["asyncio.Future[str]"] = field(default_factory=list)

    async def load(self, _stamp: str | None = None) -> str:
        found = self.text
        loading: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.loads.append(loading)
        if self.is_held:
            await loading
        return found

    def end(self, number: int = -1) -> None:
        self.loads[number].set_result("")

    def fail(self, number: int = -1) -> None:
        self.loads[number].set_exception(Broken())


def make_reads(
    stamps: Stamps,
    metrics: Metrics,
    bodies: Bodies[str] | None = None,
    *,
    patience_seconds: float = 60.0,
) -> Reads[str]:
    answers = Answers[str](budget_bytes=100_000, seconds=60, weigh=len, monotonic=monotonic)
    return Reads(stamps, answers, bodies, metrics, patience_seconds=patience_seconds)


async def find(reads: Reads[str], source: Source[str]) -> Found[str]:
    """Read as the handlers do."""
    return await reads.read_on(source, await reads.stamp_of(source.scope))


async def read(reads: Reads[str], source: Source[str]) -> str:
    return (await find(reads, source)).body


async def start(reads: Reads[str], source: Source[str], count: int = 1) -> list[asyncio.Task[str]]:
    """Start readers and let them go as far as they can."""
    tasks = [asyncio.create_task(read(reads, source)) for _ in range(count)]
    await turn_loop()
    return tasks


async def write(stamps: Stamps, database: Database, text: str) -> None:
    """Write as the services do, up to the acknowledgement."""
    announced = await stamps.mark([SCOPE])
    database.text = text
    await stamps.done([SCOPE], announced)
