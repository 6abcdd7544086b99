"""The gate before the driver: how many at once, how many wait, in which order."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from gate import (
    CONCURRENT,
    WAITING_LIMIT,
    Driver,
    assert_all_slots_free,
    cancel,
    make_gate,
    run_many,
    turn_loop,
)

from app.errors import StorageOverloaded

pytestmark = pytest.mark.gen_test


async def test_the_result_of_an_operation_is_returned(driver: Driver):
    (task,) = await run_many(make_gate(), driver, 1)
    driver.end()
    assert await task == "done"


async def test_no_more_operations_run_at_once_than_there_are_slots(driver: Driver):
    tasks = await run_many(make_gate(), driver, CONCURRENT + 2)
    assert len(driver.started) == CONCURRENT
    driver.end(0)
    await turn_loop()
    assert len(driver.started) == CONCURRENT + 1
    await cancel(*tasks)


async def test_the_first_to_wait_is_the_first_to_start():
    gate = make_gate(concurrent=1)
    order: list[int] = []

    def starter(number: int) -> Callable[[], Awaitable[None]]:
        def start() -> Awaitable[None]:
            order.append(number)
            return asyncio.sleep(0)

        return start

    await asyncio.gather(*(gate.run("find", starter(number)) for number in range(4)))
    assert order == [0, 1, 2, 3]


async def test_one_more_than_may_wait_is_refused_at_once_and_not_started(driver: Driver):
    gate = make_gate()
    tasks = await run_many(gate, driver, CONCURRENT + WAITING_LIMIT)
    with pytest.raises(StorageOverloaded):
        await gate.run("find", driver.start)
    assert len(driver.started) == CONCURRENT
    await cancel(*tasks)


async def test_with_no_waiting_allowed_a_free_slot_is_still_taken(driver: Driver):
    gate = make_gate(waiting_limit=0)
    tasks = await run_many(gate, driver, CONCURRENT)
    assert len(driver.started) == CONCURRENT
    with pytest.raises(StorageOverloaded):
        await gate.run("find", driver.start)
    await cancel(*tasks)


async def test_an_operation_that_cannot_even_begin_gives_its_slot_back():
    gate = make_gate()

    def start() -> Awaitable[None]:
        raise TypeError("no such argument")

    for _ in range(CONCURRENT + 1):
        with pytest.raises(TypeError, match="no such argument"):
            await gate.run("find", start)
    await assert_all_slots_free(gate)
