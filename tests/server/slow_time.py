"""Runs Tornado's own tests in a time that passes more slowly than that of the wall.

``python -m tests.server.slow_time asyncio|uvloop ...`` takes what ``tornado.test.runtests`` takes.
A test that gives the machine 0.1 s gives it 2 s here: loops, Tornado's and our deadlines and the
barriers of threads all go by the slow time, so what a test promises is the same.
"""

import asyncio
import sys
import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any

import uvloop
from tornado.ioloop import IOLoop
from tornado.test.runtests import main

FACTOR = 20


class _SlowAsyncio(asyncio.SelectorEventLoop):
    def time(self) -> float:  # All of its timers are kept in this time.
        return super().time() / FACTOR


class _SlowUvloop(uvloop.Loop):
    def time(self) -> float:
        return super().time() / FACTOR

    def call_later(
        self,
        delay: float,
        callback: Callable[..., Any],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return super().call_later(delay * FACTOR, callback, *args, context=context)


class _SlowBarrier(threading.Barrier):
    def __init__(self, parties: int, timeout: float) -> None:
        super().__init__(parties, timeout=timeout * FACTOR)


class _Policy(asyncio.DefaultEventLoopPolicy):
    _loop_factory = {"asyncio": _SlowAsyncio, "uvloop": _SlowUvloop}[sys.argv.pop(1)]


if __name__ == "__main__":
    asyncio.set_event_loop_policy(_Policy())
    IOLoop.time = lambda self: self.asyncio_loop.time()
    threading.Barrier = _SlowBarrier
    main()
