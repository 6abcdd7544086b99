"""What goes wrong meanwhile; the nemesis kills, pauses and flushes what the service is made of."""

import time
from abc import ABC, abstractmethod
from random import Random
from threading import Event, Thread
from typing import NamedTuple

from freshness_stack import Stack

_EMPTYING = ("Redis killed", "Redis flushed")
_QUARANTINE_SECONDS = 7.0
"""An empty Redis gives no stamps for so long; the next fault shall often meet caches in use."""


class Fault(NamedTuple):
    """Something that was done to the stack; times are nanoseconds, as those of operations."""

    name: str
    start: int
    end: int


class Troubles(Thread, ABC):
    """Does what goes wrong while clients ask, on a thread of its own.

    Attributes:
        faults: those that are over.
    """

    def __init__(self) -> None:
        super().__init__(name="troubles")
        self._must_stop = Event()
        self._error: BaseException | None = None
        self.faults: list[Fault] = []

    def run(self) -> None:
        """Do it all; called in the thread."""
        try:
            self._do_all()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for.
            self._error = error

    @abstractmethod
    def _do_all(self) -> None:
        """Do one fault after the other until that is all, or `_must_stop` is set."""

    def look(self) -> None:
        """Raise what went wrong, if something did."""
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Return when the last fault is over; raise what went wrong."""
        self._must_stop.set()
        self.join()
        self.look()


class Nemesis(Troubles):
    """Does one fault after the other, drawn at random, until it is told to stop.

    Args:
        stack: what it is done to; when the thread ends all of it answers again.
        random: draws.
        longest_pause_seconds: of a process of the service; of Redis it is half of that.
        rest_seconds: between two faults, at most.
    """

    def __init__(
        self,
        stack: Stack,
        random: Random,
        *,
        longest_pause_seconds: float = 10.0,
        rest_seconds: float = 1.5,
    ) -> None:
        super().__init__()
        self._stack = stack
        self._random = random
        self._longest_pause_seconds = longest_pause_seconds
        self._rest_seconds = rest_seconds

    def _do_all(self) -> None:
        kinds = [
            *(self._kill_service, self._pause_service, self._kill_redis),
            *(self._flush_redis, self._pause_redis),
        ]
        while not self._must_stop.is_set():
            place = len(self.faults) % len(kinds)
            if not place:  # Each kind as often as the others.
                self._random.shuffle(kinds)
            self._must_stop.wait(self._random.uniform(0, self._rest_seconds))
            start = time.monotonic_ns()
            name = kinds[place]()
            self.faults.append(Fault(name, start, time.monotonic_ns()))
            if name in _EMPTYING and self._random.random() < 0.5:
                self._must_stop.wait(_QUARANTINE_SECONDS + self._random.uniform(0, 3))
        self._stack.wait()

    def _kill_service(self) -> str:
        service = self._random.choice(self._stack.services)
        service.kill()
        self._pass_time(0, 1)
        service.start()
        service.wait()
        return "service killed"

    def _pause_service(self) -> str:
        service = self._random.choice(self._stack.services)
        service.pause()
        self._pass_time(1, self._longest_pause_seconds)
        service.resume()
        return "service paused"

    def _kill_redis(self) -> str:
        redis = self._stack.redis
        redis.kill()
        self._pass_time(0, 3)
        redis.start()
        redis.wait()
        return "Redis killed"

    def _flush_redis(self) -> str:
        self._stack.redis.flush()
        return "Redis flushed"

    def _pause_redis(self) -> str:
        self._stack.redis.pause()
        self._pass_time(1, self._longest_pause_seconds / 2)
        self._stack.redis.resume()
        return "Redis paused"

    def _pass_time(self, least: float, most: float) -> None:
        time.sleep(self._random.uniform(least, most))
