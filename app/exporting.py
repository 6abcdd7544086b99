"""Reads all todos of MongoDB, late as they may be, for `run.py export` and `run.py statistics`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from tqdm import tqdm

from app.bootstrap import make_late_reads
from app.domain.todo import PUBLIC_OWNER
from app.metrics import Metrics
from app.resources import open_resources
from app.settings import Settings
from app.storage.late_reads import LateReads
from handlers.wire import statistics_view, view


async def export_todos(
    settings: Settings, *, mongo_uri: str, write: Callable[[bytes], object]
) -> int:
    """Write every todo as a line of JSON, with a progress bar on standard error.

    Args:
        settings: the members that are asked, and deadlines.
        mongo_uri: the MongoDB to read from.
        write: takes some lines at a time, in UTF-8.

    Returns:
        How many there were.

    Raises:
        SettingsError: the address cannot be understood.
        StorageUnavailable: MongoDB does not answer; what was written stays.
        StorageUnusable: it refuses.
    """
    count = 0
    lines = msgspec.json.Encoder()
    async with _late_reads(settings, mongo_uri) as reads:
        with tqdm(unit=" todos", unit_scale=True, disable=None) as bar:
            async for todos in reads.batches(PUBLIC_OWNER):
                write(lines.encode_lines(map(view, todos)))
                count += len(todos)
                bar.update(len(todos))
    return count


async def read_statistics(settings: Settings, *, mongo_uri: str) -> bytes:
    """Return what all todos come to, as a JSON object; raises as `export_todos` does."""
    async with _late_reads(settings, mongo_uri) as reads:
        statistics = await reads.statistics(PUBLIC_OWNER)
    return msgspec.json.format(msgspec.json.encode(statistics_view(statistics)))


@asynccontextmanager
async def _late_reads(settings: Settings, mongo_uri: str) -> AsyncIterator[LateReads]:
    async with open_resources(settings, mongo_uri=mongo_uri, redis_url=None) as resources:
        reads = make_late_reads(settings, resources, Metrics())
        await reads.find_secondary()
        yield reads
