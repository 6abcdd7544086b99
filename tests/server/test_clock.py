"""The clock that watches all connections: when it lets something expire, and what it forgets."""

import weakref
from math import inf

import pytest
from clock import Clock as Seconds
from http_serving import tick
from waiters import Waiter, watch

from app.httpserver.clock import Clock


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
def test_a_deadline_expires_once_and_at_the_second_tick_after_it_at_the_latest(
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


def test_what_a_tick_has_found_expires_part_by_part(clock: Clock, seconds: Seconds):
    waiters = watch(clock, 100)
    seconds.advance(1.0)
    clock.tick()
    expired = []
    for part in (0.01, 0.25, 0.25, 0.5, 1.0):
        clock.expire(part)
        expired.append(sum(one.expired for one in waiters))
    assert expired == [1, 25, 25, 50, 100]


def test_what_is_forgotten_between_two_parts_does_not_expire(clock: Clock, seconds: Seconds):
    waiters = watch(clock, 2)
    seconds.advance(1.0)
    clock.tick()
    clock.expire(0.5)
    for one in waiters:
        clock.forget(one)
    pass_seconds(clock, seconds, 5)
    assert sum(one.expired for one in waiters) == 1


def test_nothing_that_is_forgotten_is_held(clock: Clock, seconds: Seconds):
    waiters = watch(clock, 2)
    seconds.advance(1.0)
    clock.tick()
    references = [weakref.ref(one) for one in waiters]
    while waiters:
        clock.forget(waiters.pop())
    assert [reference() for reference in references] == [None, None]


def test_a_deadline_that_moves_away_between_two_parts_is_kept(clock: Clock, seconds: Seconds):
    waiters = watch(clock, 2)
    seconds.advance(1.0)
    clock.tick()
    clock.expire(0.5)
    (late,) = (one for one in waiters if not one.expired)
    late.deadline = clock.now + 4.0  # As a request's does; see `Channel`.
    pass_seconds(clock, seconds, 4)
    assert late.expired == 0
    pass_seconds(clock, seconds, 1)
    assert late.expired == 1


def test_what_is_left_of_a_tick_expires_after_the_next(clock: Clock, seconds: Seconds):
    waiters = watch(clock, 2)
    for _ in range(2):
        seconds.advance(1.0)
        clock.tick()
    clock.expire()
    assert [one.expired for one in waiters] == [1, 1]


def test_what_passed_while_the_loop_stood_still_gets_another_second_in_each_part(
    clock: Clock, seconds: Seconds
):
    waiters = watch(clock, 2, in_seconds=3.0)
    seconds.advance(6.0)
    clock.tick()
    clock.expire(0.5)
    seconds.advance(0.7)
    clock.refresh()
    clock.expire()
    assert sum(one.expired for one in waiters) == 0
    pass_seconds(clock, seconds, 1)
    assert [one.expired for one in waiters] == [1, 1]
