"""Health: every backend is asked at once, within a deadline, and only needed ones fail it."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

import pytest

from app.services.health import Backend, HealthService

pytestmark = pytest.mark.gen_test

DEADLINE_SECONDS = 0.05
LONG_SECONDS = 5.0

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
    pings: list[tuple[Ping, bool]], expected: str, each: list[str]
):
    health = await health_of(*pings).check()
    assert health.status == expected
    assert [backend.status for backend in health.backends] == each
    assert [backend.name for backend in health.backends] == [
        f"backend{number}" for number in range(len(pings))
    ]


@pytest.mark.parametrize(
    "error", [TimeoutError(), OSError(), RuntimeError(), KeyError("x")], ids=repr
)
async def test_whatever_a_ping_raises_is_a_failed_check_and_no_fault(error: Exception):
    async def failing() -> None:
        raise error

    health = await health_of((failing, NEEDED)).check()
    assert health.status == "fail"


async def test_a_silent_backend_is_given_up_after_the_deadline():
    started = perf_counter()
    health = await health_of((silent, NEEDED)).check()
    assert DEADLINE_SECONDS <= health.backends[0].seconds < 10 * DEADLINE_SECONDS
    assert perf_counter() - started < 10 * DEADLINE_SECONDS


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


async def test_a_backend_that_comes_back_is_well_at_the_next_check():
    answers = [broken, well]

    async def recovering() -> None:
        await answers.pop(0)()

    service = health_of((recovering, NEEDED))
    assert (await service.check()).status == "fail"
    assert (await service.check()).status == "pass"


async def test_giving_up_a_check_gives_up_its_pings():
    asked, ended = asyncio.Event(), asyncio.Event()

    async def noticing() -> None:
        try:
            asked.set()
            await silent()
        finally:
            ended.set()

    check = asyncio.create_task(
        health_of((noticing, NEEDED), deadline_seconds=LONG_SECONDS).check()
    )
    await asked.wait()
    check.cancel()
    with pytest.raises(asyncio.CancelledError):
        await check
    assert ended.is_set()
