"""The clock's timers: when it ticks, and how it takes what a tick has found part by part."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
from clock import Clock as Seconds
from waiters import Waiter, watch

from app.httpserver.clock import Clock


class Timers:
    """A loop that only keeps the timers that were not cancelled."""

    def __init__(self) -> None:
        self.waiting: list[Timer] = []

    def call_later(self, delay: float, act: Callable[..., None], *given: object) -> "Timer":
        timer = Timer(self, delay, partial(act, *given))
        self.waiting.append(timer)
        return timer


class Timer:
    """One of them, which rings when the test says so."""

    def __init__(self, timers: Timers, delay: float, act: Callable[[], None]) -> None:
        self._timers = timers
        self.delay = delay
        self._act = act

    def ring(self) -> None:
        self._timers.waiting.remove(self)
        self._act()

    def cancel(self) -> None:
        self._timers.waiting.remove(self)


def test_a_clock_has_one_timer_however_often_it_is_started_and_stopped(clock: Clock):
    timers = Timers()
    for _ in range(2):
        clock.start(timers)
    assert len(timers.waiting) == 1
    for _ in range(2):
        clock.stop()
    assert timers.waiting == []
    clock.start(timers)
    assert len(timers.waiting) == 1


def test_a_clock_ticks_with_the_seconds_of_the_wall(seconds: Seconds):
    timers = Timers()
    Clock(monotonic=seconds, wall=lambda: 1000.25).start(timers)
    assert [timer.delay for timer in timers.waiting] == [0.75]


def test_the_parts_are_spread_over_three_quarters_of_a_second(clock: Clock, seconds: Seconds):
    timers = Timers()
    waiters = watch(clock, 300)
    seconds.advance(1.0)
    clock.start(timers)
    expired = [sum(one.expired for one in waiters)]
    while len(timers.waiting) > 1:
        seconds.advance(0.005)
        timers.waiting[-1].ring()
        expired.append(sum(one.expired for one in waiters))
    assert len(expired) == pytest.approx(150, abs=1)
    assert max(later - earlier for earlier, later in pairwise([0, *expired])) <= 3


def test_a_loop_that_is_busy_takes_larger_parts(clock: Clock, seconds: Seconds):
    timers = Timers()
    waiters = watch(clock, 300)
    seconds.advance(1.0)
    clock.start(timers)
    seconds.advance(0.75)
    timers.waiting[-1].ring()
    assert sum(one.expired for one in waiters) == 300


def test_parts_are_taken_by_one_timer_however_often_the_clock_ticks(clock: Clock, seconds: Seconds):
    timers = Timers()
    watch(clock, 300)
    seconds.advance(1.0)
    clock.start(timers)
    turn, _ = timers.waiting
    turn.ring()
    assert len(timers.waiting) == 2


def test_a_clock_that_was_stopped_between_two_parts_goes_on_when_it_is_started(
    clock: Clock, seconds: Seconds
):
    timers = Timers()
    waiters = watch(clock, 2)
    seconds.advance(1.0)
    clock.start(timers)
    clock.stop()
    assert timers.waiting == []
    clock.start(timers)
    seconds.advance(0.75)
    timers.waiting[-1].ring()
    assert [one.expired for one in waiters] == [1, 1]


def test_what_expires_may_stop_the_clock(clock: Clock, seconds: Seconds):
    timers = Timers()
    for _ in range(2):
        clock.watch(Waiter(clock.stop), clock.now)
    seconds.advance(1.0)
    clock.start(timers)
    assert timers.waiting == []


def test_a_started_clock_lets_everything_expire(run: Callable[..., None]):
    clock = Clock(monotonic=time.monotonic)

    async def start() -> None:
        loop = asyncio.get_running_loop()
        expired = asyncio.Semaphore(0)
        for _ in range(3):
            clock.watch(Waiter(expired.release), clock.now - 1.0)
        clock.start(loop)
        clock.start(loop)
        async with asyncio.timeout(120.0):
            for _ in range(3):
                await expired.acquire()
        clock.stop()
        clock.stop()

    run(start())
