"""What the gate tells operators: its log lines and its metrics."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from time import perf_counter

import pytest
from gate import (
    LONG_SECONDS,
    SHORT_SECONDS,
    Driver,
    answers_503,
    cancel,
    failing_with,
    make_gate,
    run_many,
)
from pymongo.errors import AutoReconnect, DuplicateKeyError

from app.errors import StorageOverloaded
from app.metrics import Metrics
from app.storage import operations
from app.storage.operations import Operations

pytestmark = pytest.mark.gen_test


async def run_in_turn(gate: Operations, failing: list[bool]) -> None:
    for fails in failing:
        start = failing_with(AutoReconnect("reset")) if fails else lambda: asyncio.sleep(0)
        await asyncio.gather(gate.run("find", start), return_exceptions=True)


def said_by(caplog: pytest.LogCaptureFixture) -> list[str]:
    return ["503" if "503" in message else message for message in caplog.messages]


@answers_503
async def test_trouble_is_logged_when_it_begins_and_not_for_each_request(
    caplog: pytest.LogCaptureFixture,
):
    gate = make_gate()
    caplog.set_level("INFO")
    await run_in_turn(gate, [True, True, True, False, False])
    assert said_by(caplog) == ["503", "MongoDB answers again"]


@answers_503
async def test_where_some_operations_fail_and_others_do_not_one_pair_is_logged_in_a_while(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    gate = make_gate()
    caplog.set_level("INFO")
    now = perf_counter()
    monkeypatch.setattr(operations, "perf_counter", lambda: now)
    await run_in_turn(gate, [True, False] * 50)
    assert said_by(caplog) == ["503", "MongoDB answers again"]
    now += 9.9
    await run_in_turn(gate, [True, False] * 50)
    assert said_by(caplog) == ["503", "MongoDB answers again"]
    now += 0.2
    await run_in_turn(gate, [True, False] * 50)
    assert said_by(caplog) == ["503", "MongoDB answers again"] * 2


async def test_what_was_never_started_says_nothing_of_mongodb(
    driver: Driver, caplog: pytest.LogCaptureFixture
):
    gate = make_gate(concurrent=1, waiting_limit=1, deadline_seconds=LONG_SECONDS)
    caplog.set_level("INFO")
    running, waiting = await run_many(gate, driver, 2)
    with pytest.raises(StorageOverloaded):
        await gate.run("find", driver.start)
    driver.end(0)
    assert await running == "done"
    await cancel(waiting)
    assert caplog.messages == []


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


async def test_a_refused_operation_is_counted_as_overloaded(driver: Driver):
    metrics = Metrics()
    gate = make_gate(concurrent=1, waiting_limit=0, metrics=metrics)
    tasks = await run_many(gate, driver, 1)
    with pytest.raises(StorageOverloaded):
        await gate.run("delete", driver.start)
    assert counted(metrics) == {("delete", "overloaded"): 1.0}
    await cancel(*tasks)
