"""The gate before the driver, and a driver whose operations end when a test says so."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app.metrics import Metrics
from app.storage.operations import Operations

answers_503 = pytest.mark.usefixtures("logged_503")

CONCURRENT = 2
WAITING_LIMIT = 3
LONG_SECONDS = 60.0
SHORT_SECONDS = 0.05
LOOP_TURNS = 20
"""More than any road through the gate takes when nothing has to be waited for."""


class Driver:
    """Begins operations that end when the test says so, as Motor's threads do."""

    def __init__(self) -> None:
        self.started: list[asyncio.Future[str]] = []

    def start(self) -> asyncio.Future[str]:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.started.append(future)
        return future

    def end(self, number: int = -1) -> None:
        self.started[number].set_result("done")


def make_gate(
    *,
    concurrent: int = CONCURRENT,
    waiting_limit: int = WAITING_LIMIT,
    deadline_seconds: float = LONG_SECONDS,
    metrics: Metrics | None = None,
) -> Operations:
    return Operations(
        concurrent=concurrent,
        waiting_limit=waiting_limit,
        deadline_seconds=deadline_seconds,
        metrics=metrics or Metrics(),
    )


async def turn_loop() -> None:
    # Runs what is ready and what that makes ready; nothing here waits for time to pass.
    for _ in range(LOOP_TURNS):
        await asyncio.sleep(0)


async def run_many(gate: Operations, driver: Driver, count: int) -> list[asyncio.Task[str]]:
    tasks = [asyncio.create_task(gate.run("find", driver.start)) for _ in range(count)]
    await turn_loop()
    return tasks


async def cancel(*tasks: "asyncio.Task[str]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def assert_all_slots_free(gate: Operations, *, concurrent: int = CONCURRENT) -> None:
    driver = Driver()
    tasks = await run_many(gate, driver, concurrent + 1)
    assert len(driver.started) == concurrent
    for number in range(concurrent):
        driver.end(number)
    await turn_loop()
    driver.end()
    assert await asyncio.gather(*tasks) == ["done"] * (concurrent + 1)


def failing_with(error: Exception) -> Callable[[], Awaitable[None]]:
    async def fail() -> None:
        raise error

    return fail
