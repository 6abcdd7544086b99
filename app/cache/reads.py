"""Reading through the cache: at the speed of memory, and never older than the last write."""

import asyncio
from asyncio import Future, TimerHandle
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

from app.cache.answers import Answers
from app.cache.bodies import Bodies
from app.cache.channel import RedisAway
from app.metrics import Metrics
from app.services.freshness import Asker, Found, Level, OneAsker, Source, Stamps

T = TypeVar("T")

PATIENCE_SECONDS = 0.1
"""For a load that others wait behind: one takes milliseconds, and one that hangs seconds."""


class Reads(Generic[T]):
    """Reads sources.

    What is read is as of some time after the call, so no write that was acknowledged before is
    missing. With a proved stamp that holds for everything kept under the stamp: the scope had no
    write since. Without one it holds for what the database is asked for after the call.
    """

    def __init__(
        self,
        stamps: Stamps,
        answers: Answers[T],
        bodies: Bodies[T] | None,
        metrics: Metrics,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._stamps = stamps
        self._patience_seconds = patience_seconds
        self._answers = answers
        self._bodies = bodies
        self._metrics = metrics
        self._fills: dict[Hashable, Future[Found[T]]] = {}
        self._loads: dict[Hashable, _Loads[T]] = {}

    def prove(self, scope: str, asker: Asker) -> None:
        """Tell the scope's stamp; see `Stamps.prove`."""
        self._stamps.prove(scope, asker)

    def recall(self, source: Source[T], stamp: str | None, *, readers: int = 1) -> T | None:
        """Return what this process keeps of a source, under a stamp that was just proved."""
        if stamp is None:
            return None
        body = self._answers.get(source.scope, stamp, source.key)
        if body is not None:
            self._metrics.cache("answers", "hit", readers)
        return body

    async def stamp_of(self, scope: str) -> str | None:
        """Return the stamp that a scope has at some time after the call."""
        asker = OneAsker()
        self.prove(scope, asker)
        return await asker.stamp

    async def read_on(self, source: Source[T], stamp: str | None, *, readers: int = 1) -> Found[T]:
        """Return a source's body when its scope's stamp has just been proved, or could not be.

        Raises what its ``load`` raises.
        """
        if stamp is None:
            self._metrics.cache("answers", "bypass", readers)
            return Found(await self._load_anew(source), Level.BYPASS)
        body = self.recall(source, stamp, readers=readers)
        if body is not None:
            return Found(body, Level.PROCESS)
        self._metrics.cache("answers", "miss", readers)
        # Those who join have proved the same stamp: what was read under it is current for them.
        fill = self._fills.get((stamp, source.key))
        if fill is None:
            fill = asyncio.ensure_future(self._fill(source, stamp))
            self._fills[stamp, source.key] = fill
            fill.add_done_callback(lambda fill: self._end_fill((stamp, source.key), fill))
        return await asyncio.shield(fill)

    def _end_fill(self, place: Hashable, fill: "Future[Found[T]]") -> None:
        del self._fills[place]
        _retrieve(fill)

    async def _fill(self, source: Source[T], stamp: str) -> Found[T]:
        bodies = self._bodies
        if bodies is not None:
            try:
                body = await bodies.get_or_claim(stamp, source.key)
            except RedisAway:
                self._metrics.cache("bodies", "bypass")
                return Found(await source.load(None), Level.BYPASS)
            self._metrics.cache("bodies", "miss" if body is None else "hit")
            if body is not None:
                self._answers.put(source.scope, stamp, source.key, body)
                return Found(body, Level.REDIS)
        try:
            body = await source.load(stamp)
        except BaseException:
            if bodies is not None:
                bodies.give_up(stamp, source.key)
            raise
        self._metrics.cache("storage", "fill")
        self._answers.put(source.scope, stamp, source.key, body)
        if bodies is not None:
            bodies.put(stamp, source.key, body)
        return Found(body, Level.STORED)

    async def _load_anew(self, source: Source[T]) -> T:
        """Read from the database, together with all who ask before that begins."""
        place = source.scope, source.key
        loads = self._loads.get(place)
        if loads is None:
            loads = self._loads[place] = _Loads(partial(source.load, None), self._patience_seconds)
            loads.ended = lambda: self._loads.pop(place)
        return await asyncio.shield(loads.join())


class _Loads(Generic[T]):
    """Loads of one source; whoever asks gets the next that begins.

    It begins when the one before has ended, or takes too long: nobody shall wait for two.
    """

    def __init__(self, load: Callable[[], Awaitable[T]], patience_seconds: float) -> None:
        self._load = load
        self._patience_seconds = patience_seconds
        self._running = 0
        self._next: Future[T] | None = None
        self._timer: TimerHandle | None = None
        self.ended: Callable[[], object] = lambda: None

    def join(self) -> "Future[T]":
        if not self._running:
            return self._begin()
        if self._next is None:
            loop = asyncio.get_running_loop()
            self._next = loop.create_future()
            self._timer = loop.call_later(self._patience_seconds, self._begin_next)
        return self._next

    def _begin(self) -> "Future[T]":
        self._running += 1
        load = asyncio.ensure_future(self._load())
        load.add_done_callback(self._end)
        return load

    def _begin_next(self) -> None:
        waiting, self._next = self._next, None
        if self._timer is not None:
            self._timer.cancel()
        if waiting is not None:
            self._begin().add_done_callback(lambda load: _copy(load, waiting))

    def _end(self, load: "Future[T]") -> None:
        _retrieve(load)
        self._running -= 1
        if self._next is not None:
            self._begin_next()
        elif not self._running:
            self.ended()


def _retrieve(future: "Future[Any]") -> None:
    """See an error that nobody else may ask for: all who waited may have been cancelled."""
    if not future.cancelled():
        future.exception()


def _copy(done: "Future[T]", to: "Future[T]") -> None:
    if to.done():
        return
    if done.cancelled():
        to.cancel()
    elif (error := done.exception()) is not None:
        to.set_exception(error)
        _retrieve(to)
    else:
        to.set_result(done.result())
