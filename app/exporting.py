"""Reads all todos of MongoDB, late as they may be, for `run.py export` and `run.py statistics`."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tqdm import tqdm

from app.bootstrap import encode_statistics, encode_todos, make_late_reads
from app.domain.todo import PUBLIC_OWNER
from app.metrics import Metrics
from app.program import NAME
from app.resources import open_resources
from app.settings import Settings
from app.standard_streams import tell
from app.storage.late_reads import LateReads

_OWNERLESS = (
    f"{NAME}: documents without an owner are left out; a service that is started on this MongoDB "
    "takes in those of the founding article"
)


async def export_todos(
    settings: Settings, *, mongo_uri: str, write: Callable[[bytes], object]
) -> int:
    """Write every todo as a line of JSON, newest first; tell of progress on standard error.

    Args:
        settings: the members that are asked, and deadlines.
        mongo_uri: the MongoDB to read from.
        write: takes some lines at a time, in UTF-8.

    Returns:
        How many there were.

    Raises:
        SettingsError: the address cannot be understood.
        StorageUnavailable: MongoDB does not answer; what was written stays.
        StorageUnusable: it refuses, or holds a document that is no todo.
    """
    count = 0
    async with _late_reads(settings, mongo_uri) as reads:
        with tqdm(unit=" todos", unit_scale=True, disable=None) as bar:
            async for todos in reads.batches(PUBLIC_OWNER):
                write(encode_todos(todos))
                count += len(todos)
                bar.update(len(todos))
    return count


async def read_statistics(settings: Settings, *, mongo_uri: str) -> bytes:
    """Return what all todos come to, as a JSON object; raises as `export_todos` does."""
    async with _late_reads(settings, mongo_uri) as reads:
        return encode_statistics(await reads.statistics(PUBLIC_OWNER))


@asynccontextmanager
async def _late_reads(settings: Settings, mongo_uri: str) -> AsyncIterator[LateReads]:
    async with open_resources(settings, mongo_uri=mongo_uri, redis_url=None) as resources:
        reads = make_late_reads(settings, resources, Metrics())
        if await reads.has_ownerless():
            tell(_OWNERLESS, sys.stderr)
        yield reads
