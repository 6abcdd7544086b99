"""The gate before the driver: how many at once, how long, what becomes of those given up."""

import asyncio
import gc
import re
from collections.abc import Awaitable, Callable
from random import Random

import pytest
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidOperation,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
    WTimeoutError,
)

from app.errors import StorageOverloaded, StorageUnavailable
from app.metrics import Metrics
from app.storage.operations import Operations

pytestmark = pytest.mark.gen_test

CONCURRENT = 2
WAITING_LIMIT = 3
LONG_SECONDS = 60.0
SHORT_SECONDS = 0.05
LOOP_TURNS = 20
"""More than any road through the gate takes when nothing has to be waited for."""


@pytest.fixture
def _logged_503(expect_log: Callable[[str], None]) -> None:
    expect_log("answering 503")


answers_503 = pytest.mark.usefixtures("_logged_503")


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


@pytest.fixture
def driver() -> Driver:
    return Driver()


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


@answers_503
async def test_one_more_than_may_wait_is_refused_at_once_and_not_started(driver: Driver):
    gate = make_gate()
    tasks = await run_many(gate, driver, CONCURRENT + WAITING_LIMIT)
    with pytest.raises(StorageOverloaded):
        await gate.run("find", driver.start)
    assert len(driver.started) == CONCURRENT
    await cancel(*tasks)


@answers_503
async def test_with_no_waiting_allowed_a_free_slot_is_still_taken(driver: Driver):
    gate = make_gate(waiting_limit=0)
    tasks = await run_many(gate, driver, CONCURRENT)
    assert len(driver.started) == CONCURRENT
    with pytest.raises(StorageOverloaded):
        await gate.run("find", driver.start)
    await cancel(*tasks)


@answers_503
async def test_trouble_is_logged_when_it_begins_and_not_for_each_request(
    caplog: pytest.LogCaptureFixture,
):
    gate = make_gate()
    caplog.set_level("INFO")
    for failing in (True, True, True, False, False, True):
        start = failing_with(AutoReconnect("reset")) if failing else lambda: asyncio.sleep(0)
        await asyncio.gather(gate.run("find", start), return_exceptions=True)
    said = ["503" if "503" in message else message for message in caplog.messages]
    assert said == ["503", "MongoDB answers again", "503"]


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


@answers_503
async def test_waiting_and_running_share_one_deadline(driver: Driver):
    gate = make_gate(concurrent=1, deadline_seconds=4 * SHORT_SECONDS)
    first, second = await run_many(gate, driver, 2)
    loop = asyncio.get_running_loop()
    started = loop.time()
    loop.call_later(3 * SHORT_SECONDS, driver.end, 0)
    assert await first == "done"
    with pytest.raises(StorageUnavailable):
        await second
    # Two deadlines in a row would take 3 + 4.
    assert loop.time() - started < 6 * SHORT_SECONDS
    driver.end()


@answers_503
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


async def test_an_operation_that_cannot_even_begin_gives_its_slot_back():
    gate = make_gate()

    def start() -> Awaitable[None]:
        raise TypeError("no such argument")

    for _ in range(CONCURRENT + 1):
        with pytest.raises(TypeError, match="no such argument"):
            await gate.run("find", start)
    await assert_all_slots_free(gate)


PASSING: list[PyMongoError] = [
    ServerSelectionTimeoutError("no server"),
    AutoReconnect("connection reset"),
    NetworkTimeout("timed out"),
    NotPrimaryError("not primary"),
    WaitQueueTimeoutError("no connection"),
    ExecutionTimeout("operation exceeded time limit", 50),
    WriteConcernError("no majority", 64),
    WTimeoutError("no majority in time", 64),
    OperationFailure("interrupted at shutdown", 11600),
    OperationFailure("interrupted", 11601),
    OperationFailure("out of disk space", 14031),
    OperationFailure("no disk use allowed", 371),
    InvalidOperation("Cannot use MongoClient after close"),
]

LASTING: list[Exception] = [
    DuplicateKeyError("duplicate", 11000),
    OperationFailure("bad value", 2),
    OperationFailure("not authorized", 13),
    BulkWriteError({"writeErrors": [{"code": 11000}], "writeConcernErrors": []}),
    DocumentTooLarge("too large"),
    InvalidOperation("bulk write without operations"),
    ConfigurationError("no such option"),
    ValueError("not of the driver"),
]


def named(error: Exception) -> str:
    return f"{type(error).__name__}({error})"


def failing_with(error: Exception) -> Callable[[], Awaitable[None]]:
    async def fail() -> None:
        raise error

    return fail


@answers_503
@pytest.mark.parametrize("error", PASSING, ids=named)
async def test_an_error_that_passes_by_itself_is_storage_unavailable(error: PyMongoError):
    gate = make_gate()
    with pytest.raises(StorageUnavailable) as raised:
        await gate.run("find", failing_with(error))
    assert raised.value.__cause__ is error
    assert not isinstance(raised.value, StorageOverloaded)
    await assert_all_slots_free(gate)


@pytest.mark.parametrize("error", LASTING, ids=named)
async def test_an_error_that_is_a_fault_of_ours_passes_unchanged(error: Exception):
    gate = make_gate()
    with pytest.raises(type(error)) as raised:
        await gate.run("find", failing_with(error))
    assert raised.value is error
    await assert_all_slots_free(gate)


@answers_503
async def test_what_an_operation_says_after_it_was_given_up_is_no_unseen_error(driver: Driver):
    gate = make_gate(deadline_seconds=SHORT_SECONDS)
    # The first one's error stands in a log record, which would keep its future alive.
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            await gate.run("find", driver.start)
    driver.started.pop().set_exception(AutoReconnect("much later"))
    await turn_loop()
    # asyncio logs an exception that nobody asked for when its future is collected.
    gc.collect()


def counted(metrics: Metrics) -> dict[tuple[str, str], float]:
    pattern = (
        r"db_client_operation_duration_seconds_count"
        r'\{db_operation_name="(\w+)",db_system_name="mongodb",outcome="(\w+)"\} (\S+)'
    )
    found = re.findall(pattern, metrics.render().decode())
    return {(name, outcome): float(count) for name, outcome, count in found}


@pytest.mark.parametrize(
    ("start", "outcome"),
    [
        pytest.param(lambda: asyncio.sleep(0), "ok", id="answered"),
        pytest.param(
            failing_with(AutoReconnect("reset")),
            "unavailable",
            id="MongoDB away",
        ),
        pytest.param(lambda: asyncio.Event().wait(), "unavailable", id="deadline"),
        pytest.param(failing_with(DuplicateKeyError("twice")), "error", id="fault"),
    ],
)
async def test_an_operation_is_counted_with_its_outcome(
    start: Callable[[], Awaitable[object]], outcome: str, expect_log: Callable[[str], None]
):
    if outcome == "unavailable":
        expect_log("answering 503")
    metrics = Metrics()
    before = asyncio.all_tasks()
    gate = make_gate(deadline_seconds=SHORT_SECONDS, metrics=metrics)
    await asyncio.gather(gate.run("insert", start), return_exceptions=True)
    assert counted(metrics) == {("insert", outcome): 1.0}
    await cancel(*(asyncio.all_tasks() - before))


@answers_503
async def test_a_refused_operation_is_counted_as_unavailable(driver: Driver):
    metrics = Metrics()
    gate = make_gate(concurrent=1, waiting_limit=0, metrics=metrics)
    tasks = await run_many(gate, driver, 1)
    with pytest.raises(StorageOverloaded):
        await gate.run("delete", driver.start)
    assert counted(metrics) == {("delete", "unavailable"): 1.0}
    await cancel(*tasks)
