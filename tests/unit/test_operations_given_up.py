"""Callers that give up, or whose time is up, at the gate: no slot is lost, nothing starts late."""

import asyncio
from random import Random

import pytest
from alarm import Alarm
from gate import (
    CONCURRENT,
    LONG_SECONDS,
    LOOP_TURNS,
    SHORT_SECONDS,
    WAITING_LIMIT,
    Driver,
    answers_503,
    assert_all_slots_free,
    cancel,
    make_gate,
    run_many,
    turn_loop,
)
from pymongo import _csot  # The driver has no public name for the time that is left.

from app.errors import StorageOverloaded, StorageUnavailable

pytestmark = pytest.mark.gen_test


@pytest.mark.parametrize("leave", ["cancelled", "served"])
async def test_whoever_stops_waiting_makes_room_in_the_queue(driver: Driver, leave: str):
    gate = make_gate()
    tasks = await run_many(gate, driver, CONCURRENT + WAITING_LIMIT)
    if leave == "cancelled":
        await cancel(tasks[-1])
    else:
        driver.end(0)
        await turn_loop()
    started = len(driver.started)
    (waiting,) = await run_many(gate, driver, 1)
    assert not waiting.done()
    assert len(driver.started) == started
    await cancel(*tasks, waiting)


async def test_a_caller_that_gives_up_while_waiting_never_starts_its_operation(driver: Driver):
    gate = make_gate()
    tasks = await run_many(gate, driver, CONCURRENT + 1)
    await cancel(tasks[-1])
    for number in range(CONCURRENT):
        driver.end(number)
    await turn_loop()
    assert len(driver.started) == CONCURRENT
    await assert_all_slots_free(gate)


@answers_503
async def test_a_caller_whose_deadline_passes_while_waiting_never_starts_its_operation(
    driver: Driver,
):
    gate = make_gate(deadline_seconds=SHORT_SECONDS)
    tasks = await run_many(gate, driver, CONCURRENT + 1)
    with pytest.raises(StorageUnavailable) as raised:
        await tasks[-1]
    assert not isinstance(raised.value, StorageOverloaded)
    await asyncio.gather(*tasks, return_exceptions=True)
    for number in range(CONCURRENT):
        driver.end(number)
    await turn_loop()
    assert len(driver.started) == CONCURRENT


@answers_503
async def test_an_operation_past_its_deadline_keeps_its_slot_until_its_thread_is_free(
    driver: Driver,
):
    gate = make_gate(concurrent=1, waiting_limit=0, deadline_seconds=SHORT_SECONDS)
    with pytest.raises(StorageUnavailable):
        await gate.run("find", driver.start)
    assert not driver.started[0].done()
    with pytest.raises(StorageOverloaded):
        await gate.run("find", driver.start)
    driver.end()
    await turn_loop()
    await assert_all_slots_free(make_gate(concurrent=1), concurrent=1)
    (task,) = await run_many(gate, driver, 1)
    driver.end()
    assert await task == "done"


async def test_the_driver_is_given_what_is_left_of_the_callers_time(driver: Driver):
    gate = make_gate(concurrent=1, deadline_seconds=LONG_SECONDS)
    left: list[float | None] = []

    async def start() -> None:
        left.append(_csot.remaining())

    await gate.run("find", start)
    (first,) = await run_many(gate, driver, 1)
    second = asyncio.create_task(gate.run("find", start))
    loop = asyncio.get_running_loop()
    loop.call_later(SHORT_SECONDS, driver.end)
    await asyncio.gather(first, second)
    at_once, late = left
    assert at_once is not None
    assert late is not None
    assert LONG_SECONDS / 2 < at_once <= LONG_SECONDS
    assert late <= LONG_SECONDS - SHORT_SECONDS
    assert late < at_once
    assert _csot.remaining() is None  # It is the operation's alone.


@answers_503
async def test_waiting_and_running_share_one_deadline(driver: Driver):
    gate = make_gate(concurrent=1, deadline_seconds=4 * SHORT_SECONDS)
    first, second = await run_many(gate, driver, 2)
    # Two deadlines in a row would take 3 + 4.
    alarm = Alarm(6 * SHORT_SECONDS)
    loop = asyncio.get_running_loop()
    loop.call_later(3 * SHORT_SECONDS, driver.end, 0)
    assert await first == "done"
    with pytest.raises(StorageUnavailable):
        await second
    assert not alarm.has_rung
    driver.end()


async def test_a_caller_that_gives_up_a_running_operation_keeps_its_slot_until_it_ends(
    driver: Driver,
):
    gate = make_gate(concurrent=1, waiting_limit=0)
    tasks = await run_many(gate, driver, 1)
    await cancel(*tasks)
    assert not driver.started[0].cancelled()
    with pytest.raises(StorageOverloaded):
        await gate.run("find", driver.start)
    driver.end()
    await turn_loop()
    (task,) = await run_many(gate, driver, 1)
    driver.end()
    assert await task == "done"


@pytest.mark.parametrize("turns", range(LOOP_TURNS))
async def test_a_caller_that_gives_up_as_its_turn_comes_is_gone_and_its_slot_is_not(
    driver: Driver, turns: int
):
    gate = make_gate(concurrent=1)
    _, leaving = await run_many(gate, driver, 2)
    driver.end(0)
    for _ in range(turns):
        await asyncio.sleep(0)
    started = len(driver.started)
    leaving.cancel()
    await turn_loop()
    assert leaving.cancelled()
    assert len(driver.started) == started
    for future in driver.started[1:]:
        future.set_result("done")
    await turn_loop()
    await assert_all_slots_free(gate, concurrent=1)


async def test_no_slot_is_lost_however_callers_come_and_go(driver: Driver):
    gate = make_gate(waiting_limit=1000)
    random = Random(20)
    tasks: list[asyncio.Task[str]] = []
    for _ in range(400):
        tasks.append(asyncio.create_task(gate.run("find", driver.start)))
        if random.random() < 0.6:
            random.choice(tasks).cancel()
        running = [future for future in driver.started if not future.done()]
        assert len(running) <= CONCURRENT
        # In the same turn as a cancellation: the slot is on its way to a caller who is leaving.
        if running and random.random() < 0.7:
            random.choice(running).set_result("done")
            random.choice(tasks).cancel()
        if random.random() < 0.7:
            await asyncio.sleep(0)
    await cancel(*tasks)
    for future in driver.started:
        if not future.done():
            future.set_result("done")
    await turn_loop()
    await assert_all_slots_free(gate)
