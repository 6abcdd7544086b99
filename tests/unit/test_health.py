"""Health: every backend is asked at once, within a deadline, and only needed ones fail it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from alarm import Alarm

from app.errors import StorageUnavailable
from app.services.health import Backend, HealthService

pytestmark = pytest.mark.gen_test

answers_unwell = pytest.mark.usefixtures("logged_unwell")

DEADLINE_SECONDS = 0.05
LONG_SECONDS = 600.0

Ping = Callable[[], Awaitable[object]]


async def well() -> None:
    """Answer at once."""


async def broken() -> None:
    raise ConnectionRefusedError


async def silent() -> None:
    await asyncio.Event().wait()


def health_of(
    *pings: tuple[Ping, bool], deadline_seconds: float = DEADLINE_SECONDS
) -> HealthService:
    backends = [
        Backend(f"backend{number}", ping, required=required)
        for number, (ping, required) in enumerate(pings)
    ]
    return HealthService(backends, deadline_seconds=deadline_seconds)


NEEDED = True
OPTIONAL = False


@pytest.fixture
def logged_unwell(expect_log: Callable[[str], None]) -> None:
    expect_log("is not well: ")


@pytest.mark.parametrize(
    ("pings", "expected", "each"),
    [
        pytest.param([], "pass", [], id="nothing to ask"),
        pytest.param([(well, NEEDED), (well, OPTIONAL)], "pass", ["pass", "pass"], id="all well"),
        pytest.param([(broken, NEEDED)], "fail", ["fail"], id="needed one broken"),
        pytest.param([(broken, OPTIONAL)], "warn", ["warn"], id="optional one broken"),
        pytest.param([(silent, NEEDED)], "fail", ["fail"], id="needed one silent"),
        pytest.param([(silent, OPTIONAL)], "warn", ["warn"], id="optional one silent"),
        pytest.param(
            [(broken, OPTIONAL), (broken, NEEDED)], "fail", ["warn", "fail"], id="both broken"
        ),
        pytest.param(
            [(well, NEEDED), (silent, OPTIONAL)], "warn", ["pass", "warn"], id="one of each"
        ),
    ],
)
async def test_the_worst_backend_that_matters_decides(
    pings: list[tuple[Ping, bool]],
    expected: str,
    each: list[str],
    expect_log: Callable[[str], None],
):
    for number, status in enumerate(each):
        if status != "pass":
            expect_log(f"backend{number} is not well: ")
    health = await health_of(*pings).check()
    assert health.status == expected
    assert [backend.status for backend in health.backends] == each
    assert [backend.name for backend in health.backends] == [
        f"backend{number}" for number in range(len(pings))
    ]


@answers_unwell
@pytest.mark.parametrize(
    "error", [TimeoutError(), OSError(), RuntimeError(), KeyError("x")], ids=repr
)
async def test_whatever_a_ping_raises_is_a_failed_check_and_no_fault(error: Exception):
    async def failing() -> None:
        raise error

    health = await health_of((failing, NEEDED)).check()
    assert health.status == "fail"


@answers_unwell
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StorageUnavailable("in words of ours"), "in words of ours"),
        (OSError("user@host"), "the log says why"),
        (TimeoutError(), f"no answer within {DEADLINE_SECONDS:g} s"),
    ],
    ids=repr,
)
async def test_strangers_are_told_why_in_words_of_ours_alone(error: Exception, told: str):
    async def failing() -> None:
        raise error

    (backend,) = (await health_of((failing, NEEDED)).check()).backends
    assert backend.reason == told


@answers_unwell
async def test_a_silent_backend_is_given_up_after_the_deadline():
    alarm = Alarm(10 * DEADLINE_SECONDS)
    health = await health_of((silent, NEEDED)).check()
    assert health.backends[0].seconds >= DEADLINE_SECONDS
    assert not alarm.has_rung


@answers_unwell
async def test_a_ping_that_was_given_up_has_ended():
    ended = asyncio.Event()

    async def noticing() -> None:
        try:
            await silent()
        finally:
            ended.set()

    await health_of((noticing, NEEDED)).check()
    assert ended.is_set()


async def test_backends_are_asked_at_the_same_time():
    asked = [asyncio.Event(), asyncio.Event()]

    def waiting_for_the_other(number: int) -> Ping:
        async def ping() -> None:
            asked[number].set()
            await asked[1 - number].wait()

        return ping

    health = await health_of(
        (waiting_for_the_other(0), NEEDED),
        (waiting_for_the_other(1), NEEDED),
        deadline_seconds=LONG_SECONDS,
    ).check()
    assert health.status == "pass"


async def test_a_draining_process_is_not_ready_though_its_backends_are_well():
    service = health_of((well, NEEDED))
    service.draining = True
    health = await service.check()
    assert health.status == "fail"
    assert health.backends[0].status == "pass"


@answers_unwell
async def test_a_backend_that_comes_back_is_well_at_the_next_check():
    answers = [broken, well]

    async def recovering() -> None:
        await answers.pop(0)()

    service = health_of((recovering, NEEDED))
    assert (await service.check()).status == "fail"
    assert (await service.check()).status == "pass"


class Counted:
    """A backend that answers when the test says so, and counts who asked."""

    def __init__(self) -> None:
        self.pings = 0
        self.ended = 0
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()

    async def ping(self) -> None:
        self.pings += 1
        self.asked.set()
        try:
            await self.answer.wait()
        finally:
            self.ended += 1


async def test_who_asks_while_a_check_is_running_shares_its_answer():
    counted = Counted()
    service = health_of((counted.ping, NEEDED), deadline_seconds=LONG_SECONDS)
    checks = [asyncio.create_task(service.check())]
    await counted.asked.wait()
    checks += [asyncio.create_task(service.check()) for _ in range(100)]
    await asyncio.sleep(0)
    counted.answer.set()
    assert {health.status for health in await asyncio.gather(*checks)} == {"pass"}
    assert counted.pings == 1


async def test_who_asks_after_a_check_has_ended_gets_a_new_one():
    counted = Counted()
    counted.answer.set()
    service = health_of((counted.ping, NEEDED), deadline_seconds=LONG_SECONDS)
    for _ in range(3):
        await service.check()
    assert counted.pings == 3


async def test_giving_up_a_check_leaves_the_others_their_answer():
    counted = Counted()
    service = health_of((counted.ping, NEEDED), deadline_seconds=LONG_SECONDS)
    leaving, staying = (asyncio.create_task(service.check()) for _ in range(2))
    await counted.asked.wait()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    counted.answer.set()
    assert (await staying).status == "pass"
    assert counted.pings == 1


@answers_unwell
async def test_a_check_that_everybody_has_given_up_ends_by_its_deadline():
    counted = Counted()
    before = asyncio.all_tasks()
    check = asyncio.create_task(health_of((counted.ping, NEEDED)).check())
    await counted.asked.wait()
    check.cancel()
    alarm = Alarm(10 * DEADLINE_SECONDS)
    await asyncio.gather(*(asyncio.all_tasks() - before), return_exceptions=True)
    assert not alarm.has_rung
    assert counted.ended == 1


async def test_draining_is_told_by_a_check_that_began_before_it():
    counted = Counted()
    service = health_of((counted.ping, NEEDED), deadline_seconds=LONG_SECONDS)
    check = asyncio.create_task(service.check())
    await counted.asked.wait()
    service.draining = True
    counted.answer.set()
    assert (await check).status == "fail"


@answers_unwell
async def test_a_change_is_logged_once_with_its_reason_and_not_at_each_check(
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level("INFO")
    reasons = [None, OSError("no route"), OSError("no route"), None, None, KeyError()]

    async def changing() -> None:
        reason = reasons.pop(0)
        if reason is not None:
            raise reason

    service = health_of((changing, NEEDED), (well, OPTIONAL))
    while reasons:
        await service.check()
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "backend0 is not well: no route"),
        ("INFO", "backend0 is well again"),
        ("WARNING", "backend0 is not well: KeyError"),
    ]
