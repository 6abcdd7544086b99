"""Fixtures for tests of the cache behind the handlers.

=======  ==================================================================================
settled  makes Redis so old, for the test's database, that it can have lost no mark: without
         it nothing is kept for as long as a write may take
other    another process on the same MongoDB and Redis; see `other_process`
=======  ==================================================================================
"""

from collections.abc import Iterator

import pytest
from other_process import Process, open_process
from tornado.ioloop import IOLoop

from app.resources import Resources
from app.settings import Settings


@pytest.fixture
def settled(io_loop: IOLoop, resources: Resources) -> None:
    redis = resources.redis
    if redis is not None:
        born = f"{redis.prefix}{resources.todos.database.name}:born"
        io_loop.run_sync(lambda: redis.call("SET", born, 0))


@pytest.fixture
def other(
    io_loop: IOLoop, settings: Settings, mongo_uri: str, redis_url: str | None
) -> Iterator[Process]:
    context = open_process(settings, mongo_uri=mongo_uri, redis_url=redis_url)
    yield io_loop.run_sync(context.__aenter__)
    io_loop.run_sync(lambda: context.__aexit__(None, None, None))
