"""An operation that got its slot late has what is left of its caller's time, not a time anew."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from gate import Driver, run_many, turn_loop

from app.errors import StorageUnavailable
from app.metrics import Metrics
from app.resources import Resources
from app.settings import Settings
from app.storage.operations import Operations

pytestmark = pytest.mark.gen_test

DEADLINE_SECONDS = 3.0
LATE_SECONDS = 2.4
MARGIN_SECONDS = 2.0
"""Less than what an operation with a time of its own would take beyond its caller's."""
ITEMS = {"$range": [0, 10_000]}
ENDLESS = [
    {"$documents": [{"a": ITEMS, "b": ITEMS}]},
    {"$unwind": "$a"},
    {"$unwind": "$b"},
    {"$group": {"_id": None, "sum": {"$sum": {"$multiply": ["$a", "$b"]}}}},
]
"""A hundred million documents: more than a minute."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, mongo_operation_seconds=DEADLINE_SECONDS, mongo_pool_size=1)


async def test_an_operation_that_starts_late_is_ended_by_the_driver_in_its_callers_time(
    resources: Resources, settings: Settings, expect_log: Callable[[str], None]
):
    expect_log("answering 503")
    driver = Driver()
    gate = Operations(
        concurrent=settings.mongo_pool_size,
        waiting_limit=1,
        deadline_seconds=settings.mongo_operation_seconds,
        metrics=Metrics(),
    )
    begun: list[asyncio.Future[Any]] = []

    def start() -> asyncio.Future[Any]:
        cursor = resources.todos.database.aggregate(ENDLESS)
        begun.append(asyncio.ensure_future(cursor.to_list(None)))
        return begun[0]

    loop = asyncio.get_running_loop()
    asked = loop.time()
    (first,) = await run_many(gate, driver, 1)
    second = asyncio.create_task(gate.run("aggregate", start))
    await turn_loop()
    loop.call_later(LATE_SECONDS, driver.end)
    assert await first == "done"
    with pytest.raises(StorageUnavailable):
        await second
    (running,) = begun
    await asyncio.wait({running})
    assert loop.time() - asked < DEADLINE_SECONDS + MARGIN_SECONDS
    assert getattr(running.exception(), "timeout", False)
