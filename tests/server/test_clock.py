"""The clock that watches all connections: when it lets something expire, and what it forgets."""

import asyncio
from collections.abc import Callable
from math import inf

import pytest
from clock import Clock as Seconds
from http_serving import tick

from app.httpserver.clock import Clock


class Waiter:
    """Something with a deadline that counts its ends."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.deadline = inf
        self.slot = Clock.NO_SLOT
        self.expired = 0
        self._then = then

    def expire(self) -> None:
        self.expired += 1
        self._then()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds(100.5)


@pytest.fixture
def clock(seconds: Seconds) -> Clock:
    return Clock(monotonic=seconds, wall=lambda: 784_111_777.0)


def pass_seconds(clock: Clock, seconds: Seconds, number: int) -> None:
    for _ in range(number):
        seconds.advance(1.0)
        tick(clock)


def test_the_time_is_that_of_the_last_tick(clock: Clock, seconds: Seconds):
    seconds.advance(1.0)
    assert clock.now == 100.5
    clock.tick()
    assert clock.now == 101.5


def test_the_date_is_that_of_the_last_tick(seconds: Seconds):
    wall = Seconds(784_111_777.0)
    clock = Clock(monotonic=seconds, wall=wall)
    wall.advance(1.0)
    assert clock.date == b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    clock.tick()
    assert clock.date == b"Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"


@pytest.mark.parametrize(("wait", "ticks"), [(0.0, 1), (0.4, 1), (0.5, 2), (1.0, 2), (9.9, 11)])
def test_a_deadline_expires_once_and_at_most_a_second_late(
    clock: Clock, seconds: Seconds, wait: float, ticks: int
):
    waiter = Waiter()
    clock.watch(waiter, clock.now + wait)
    pass_seconds(clock, seconds, ticks - 1)
    assert waiter.expired == 0
    pass_seconds(clock, seconds, 1)
    assert waiter.expired == 1
    pass_seconds(clock, seconds, 20)
    assert waiter.expired == 1


def test_a_deadline_that_moves_away_is_kept(clock: Clock, seconds: Seconds):
    waiter = Waiter()
    clock.watch(waiter, clock.now + 2.0)
    clock.watch(waiter, clock.now + 10.0)
    pass_seconds(clock, seconds, 10)
    assert waiter.expired == 0
    pass_seconds(clock, seconds, 1)
    assert waiter.expired == 1


def test_a_deadline_that_comes_nearer_is_kept(clock: Clock, seconds: Seconds):
    waiter = Waiter()
    clock.watch(waiter, clock.now + 10.0)
    clock.watch(waiter, clock.now + 2.0)
    pass_seconds(clock, seconds, 3)
    assert waiter.expired == 1
    pass_seconds(clock, seconds, 20)
    assert waiter.expired == 1


def test_no_deadline_never_expires(clock: Clock, seconds: Seconds):
    waiter = Waiter()
    clock.watch(waiter, clock.now + 2.0)
    clock.watch(waiter, inf)
    pass_seconds(clock, seconds, 10)
    assert waiter.expired == 0


def test_what_had_no_deadline_can_have_one_again(clock: Clock, seconds: Seconds):
    waiter = Waiter()
    clock.watch(waiter, clock.now + 2.0)
    clock.watch(waiter, inf)
    pass_seconds(clock, seconds, 10)
    clock.watch(waiter, clock.now + 1.0)
    pass_seconds(clock, seconds, 2)
    assert waiter.expired == 1


def test_a_deadline_in_the_past_expires_at_the_next_tick(clock: Clock, seconds: Seconds):
    waiter = Waiter()
    clock.watch(waiter, clock.now - 50.0)
    pass_seconds(clock, seconds, 1)
    assert waiter.expired == 1


def test_what_is_forgotten_does_not_expire(clock: Clock, seconds: Seconds):
    waiter = Waiter()
    clock.watch(waiter, clock.now + 1.0)
    clock.forget(waiter)
    clock.forget(waiter)
    pass_seconds(clock, seconds, 5)
    assert waiter.expired == 0


def test_what_another_ones_end_forgets_does_not_expire(clock: Clock, seconds: Seconds):
    waiters: list[Waiter] = []

    def forget_all() -> None:
        for one in waiters:
            clock.forget(one)

    waiters += [Waiter(forget_all) for _ in range(5)]
    for one in waiters:
        clock.watch(one, clock.now + 1.0)
    pass_seconds(clock, seconds, 5)
    assert sum(one.expired for one in waiters) == 1


def test_what_expires_may_wait_again(clock: Clock, seconds: Seconds):
    waiter = Waiter(lambda: clock.watch(waiter, clock.now + 1.0))
    clock.watch(waiter, clock.now + 1.0)
    pass_seconds(clock, seconds, 8)
    assert waiter.expired == 4


def test_a_deadline_set_while_others_expire_is_kept(clock: Clock, seconds: Seconds):
    second = Waiter()
    first = Waiter(lambda: clock.watch(second, clock.now))
    clock.watch(first, clock.now + 1.0)
    pass_seconds(clock, seconds, 3)
    assert second.expired == 1


def test_no_deadline_is_lost_when_the_loop_was_busy(clock: Clock, seconds: Seconds):
    waiters = [Waiter() for _ in range(30)]
    for number, one in enumerate(waiters):
        clock.watch(one, clock.now + number)
    seconds.advance(60.0)
    tick(clock)
    seconds.advance(1.0)
    tick(clock)
    assert [one.expired for one in waiters] == [1] * 30


def test_what_many_wait_for_expires_in_150_steps(clock: Clock, seconds: Seconds):
    waiters = [Waiter() for _ in range(300)]
    for one in waiters:
        clock.watch(one, clock.now)
    seconds.advance(1.0)
    clock.tick()
    expired = [0]
    while clock.expire_some():
        expired.append(sum(one.expired for one in waiters))
    assert expired == list(range(0, 300, 2))


def test_what_is_forgotten_between_two_steps_does_not_expire(clock: Clock, seconds: Seconds):
    first, second = (Waiter() for _ in range(2))
    clock.watch(first, clock.now)
    clock.watch(second, clock.now)
    seconds.advance(1.0)
    clock.tick()
    clock.expire_some()
    for one in (first, second):
        clock.forget(one)
    pass_seconds(clock, seconds, 5)
    assert first.expired + second.expired == 1


def test_a_deadline_that_moves_away_between_two_steps_is_kept(clock: Clock, seconds: Seconds):
    waiters = [Waiter() for _ in range(2)]
    for one in waiters:
        clock.watch(one, clock.now)
    seconds.advance(1.0)
    clock.tick()
    clock.expire_some()
    (late,) = (one for one in waiters if not one.expired)
    late.deadline = clock.now + 4.0  # As a request's does; see `Channel`.
    pass_seconds(clock, seconds, 4)
    assert late.expired == 0
    pass_seconds(clock, seconds, 1)
    assert late.expired == 1


def test_what_is_left_of_a_tick_expires_after_the_next(clock: Clock, seconds: Seconds):
    waiters = [Waiter() for _ in range(2)]
    for one in waiters:
        clock.watch(one, clock.now)
    for _ in range(2):
        seconds.advance(1.0)
        clock.tick()
    tick(clock)
    assert [one.expired for one in waiters] == [1, 1]


class Timers:
    """A loop that only keeps its timers: their delays, and whether they were cancelled."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.cancelled = 0

    def call_later(self, delay: float, *_: object) -> "Timers":
        self.delays.append(delay)
        return self

    def cancel(self) -> None:
        self.cancelled += 1


def test_a_clock_has_one_timer_however_often_it_is_started_and_stopped(clock: Clock):
    timers = Timers()
    for _ in range(2):
        clock.start(timers)
    assert len(timers.delays) == 1
    for _ in range(2):
        clock.stop()
    assert timers.cancelled == 1
    clock.start(timers)
    assert len(timers.delays) == 2


def test_a_clock_ticks_with_the_seconds_of_the_wall(seconds: Seconds):
    timers = Timers()
    Clock(monotonic=seconds, wall=lambda: 1000.25).start(timers)
    assert timers.delays == [0.75]


def test_a_clock_takes_its_steps_until_it_is_stopped(clock: Clock, seconds: Seconds):
    timers = Timers()
    for _ in range(2):
        clock.watch(Waiter(), clock.now)
    seconds.advance(1.0)
    clock.start(timers)
    assert timers.delays == [1.0, 0.005]
    clock.stop()
    assert timers.cancelled == 2


def test_a_started_clock_lets_everything_expire(run: Callable[..., None], seconds: Seconds):
    # A whole second of the wall's is a millisecond away.
    clock = Clock(monotonic=seconds, wall=lambda: 1.999)

    async def start() -> None:
        loop = asyncio.get_running_loop()
        expired = asyncio.Semaphore(0)
        for _ in range(3):
            clock.watch(Waiter(expired.release), clock.now + 1.0)
        clock.start(loop)
        clock.start(loop)
        seconds.advance(2.0)
        async with asyncio.timeout(5.0):
            for _ in range(3):
                await expired.acquire()
        clock.stop()
        clock.stop()

    run(start())
