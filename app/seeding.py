"""Stores made-up todos in MongoDB."""

import secrets
from random import Random
from time import time

from tqdm import tqdm

from app.bootstrap import make_repository
from app.domain.todo import PUBLIC_OWNER
from app.metrics import Metrics
from app.resources import open_resources
from app.seed import generate_todos, seed
from app.settings import Settings


async def store_made_up_todos(
    settings: Settings, *, mongo_uri: str, count: int, random: Random
) -> int:
    """Store ``count`` todos, with a progress bar on standard error; return how many were stored.

    Raises:
        SettingsError: the address cannot be understood.
        StorageUnavailable: MongoDB does not answer; what was stored stays.
        StorageUnusable: MongoDB refuses.
    """
    todos = generate_todos(
        count, owner=PUBLIC_OWNER, now=time(), random=random, run=secrets.randbits(40)
    )
    async with open_resources(settings, mongo_uri=mongo_uri, redis_url=None) as resources:
        repository = make_repository(settings, resources, Metrics())
        await repository.prepare(owner=PUBLIC_OWNER)
        with tqdm(total=count, unit=" todos", unit_scale=True) as bar:
            return await seed(repository.add_many, todos, progress=bar.update)
