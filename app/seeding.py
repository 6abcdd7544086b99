"""Stores made-up todos in MongoDB."""

import secrets
from collections.abc import Sequence
from random import Random
from time import time

from tqdm import tqdm

from app.bootstrap import make_cache, make_repository
from app.domain.todo import PUBLIC_OWNER, Todo
from app.metrics import Metrics
from app.resources import open_resources
from app.seed import generate_todos, seed
from app.services.freshness import OperationTime
from app.services.writing import announced
from app.settings import Settings


async def store_made_up_todos(
    settings: Settings, *, mongo_uri: str, redis_url: str | None, count: int, random: Random
) -> int:
    """Store ``count`` todos and return how many were stored.

    A progress bar is on standard error if that is a terminal.
    Services that run on the same MongoDB and Redis see them at once.

    Raises:
        SettingsError: an address cannot be understood.
        StorageUnavailable: MongoDB or Redis does not answer; what was stored stays.
        StorageUnusable: MongoDB refuses.
    """
    todos = generate_todos(
        count, owner=PUBLIC_OWNER, now=time(), random=random, run=secrets.randbits(40)
    )
    async with open_resources(settings, mongo_uri=mongo_uri, redis_url=redis_url) as resources:
        metrics, operation_time = Metrics(), OperationTime()
        repository = make_repository(settings, resources, metrics, operation_time)
        stamps = make_cache(settings, resources, metrics, operation_time).stamps
        await repository.prepare(owner=PUBLIC_OWNER)

        async def store(todos: Sequence[Todo]) -> None:
            async with announced(stamps, (PUBLIC_OWNER,)):
                await repository.add_many(todos)

        with tqdm(total=count, unit=" todos", unit_scale=True, disable=None) as bar:
            return await seed(store, todos, progress=bar.update)
