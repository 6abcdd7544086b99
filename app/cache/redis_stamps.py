"""Stamps in Redis, for any number of processes and nodes."""

import asyncio
import logging
import secrets
from asyncio import Future
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from itertools import count
from math import inf
from typing import Any

from app.cache.channel import RedisAway, RedisChannel, RedisRefuses, for_strangers
from app.cache.proofs import Asked, Proofs, tell
from app.cache.redis_scripts import DONE, MARK, OPEN
from app.errors import StorageUnavailable, WriteNotBegun
from app.log import MAX_VALUE_CHARACTERS
from app.metrics import Metrics
from app.services.freshness import Asker, OperationTime, Write

_RETRY_SECONDS = 0.05
"""Between two attempts to reach Redis: a restarted one is back in a fraction of a second."""

_LATEST_SECONDS = 1.0
"""Between a mark and its answer: a process that was stopped meanwhile would begin to write when its
mark has little time left, or none. Half of what a mark lives longer than an operation may take."""

_END_SHARE = 1 / 6
"""Of a write's patience, for its end at least, however long it took to announce it: a Redis that is
just back is slow."""

_QUIET_SECONDS = 10.0
"""Between two warnings that writes are refused: enough to see it, too few to fill a disk."""

UNKEPT_SECONDS = 60.0
"""Without a stamp for anybody who asks, before that is told: a write takes milliseconds, and marks
and a new Redis hold the stamps back for some seconds (docs/consistency.md)."""

_TIME_DIGITS = 20
"""Of the largest 64-bit number: Lua compares operation times as texts, its numbers have 53 bits."""

_NOBODYS_SCOPE = "/readyz"
"""No owner has such a name."""

log = logging.getLogger(__name__)


class RedisStamps:
    """Keeps `scope.Scope` in Redis; `Stamps`.

    Args:
        channel: where Redis is.
        namespace: tells this database's scopes from those of others in the same Redis.
        operation_time: told by and told to the other processes.
        mark_seconds: longest time that a write may take between its mark and its end.
        patience_seconds: how long a write waits for Redis, before and after MongoDB together.
        metrics: where proofs are counted.
        unkept_seconds: after so long without a stamp there is a warning.
    """

    def __init__(
        self,
        channel: RedisChannel,
        *,
        namespace: str,
        operation_time: OperationTime,
        mark_seconds: float,
        patience_seconds: float,
        metrics: Metrics,
        unkept_seconds: float = UNKEPT_SECONDS,
    ) -> None:
        self._channel = channel
        self._namespace = namespace
        self._operation_time = operation_time
        self._mark_milliseconds = round(mark_seconds * 1000)
        self._patience_seconds = patience_seconds
        self._metrics = metrics
        self._proofs = Proofs(self._ask)
        self._quiet_until = 0.0
        self._stampless = _Stampless(told_after=unkept_seconds, forgotten_after=mark_seconds)
        # No stamp and no write is ever named twice, by whatever process.
        self._names = map(f"{secrets.token_hex(8)}-{{:x}}".format, count())

    def prove(self, scope: str, asker: Asker) -> None:
        """Tell the scope's stamp; all that ask while a question is out share the next one."""
        self._proofs.add(scope, asker)

    def _ask(self, asked: Asked, requests: int) -> None:
        self._metrics.proof(requests)
        keys = (*map(self._stamp_key, asked), self.operation_time_key)
        self._channel.ask(("MGET", *keys), partial(self._hear, asked))

    def _hear(self, asked: Asked, answer: Any) -> None:
        self._proofs.answered()
        if isinstance(answer, RedisAway):
            self._metrics.unproved("redis_away")
            for askers in asked.values():
                tell(askers, None)
            return
        *stamps, newest = answer
        # What is read under these stamps must be as new as the writes that made way for them.
        self._operation_time.hear_of(int(newest or 0))
        for (scope, askers), stamp in zip(asked.items(), stamps, strict=True):
            if stamp is not None:
                self._stampless.end()
                tell(askers, stamp.decode())
            else:
                self._open(scope).add_done_callback(partial(self._opened, askers))

    def _open(self, scope: str) -> "Future[Any]":
        return self._channel.run_script(
            OPEN, self._keys(scope), (next(self._names), self._mark_milliseconds)
        )

    def _opened(self, askers: list[Asker], answer: "Future[Any]") -> None:
        stamp: tuple[bytes, ...] = ()
        if answer.exception() is not None:
            self._metrics.unproved("redis_away")
        else:
            newest, *stamp = answer.result()
            # Whoever must ask the database now shall not be told of the past.
            self._operation_time.hear_of(int(newest or 0))
            if stamp:
                self._stampless.end()
            else:
                self._metrics.unproved("writing")
                self._stampless.note()
        tell(askers, stamp[0].decode() if stamp else None)

    async def mark(self, scopes: Collection[str]) -> Write:
        """Announce a write; see `Stamps`."""
        loop = asyncio.get_running_loop()
        begun, name = loop.time(), next(self._names)
        try:
            await self._insist(
                lambda: [self._mark(scope, name) for scope in scopes],
                patience_seconds=self._patience_seconds,
                within=_LATEST_SECONDS,
            )
        except StorageUnavailable as error:
            raise WriteNotBegun(str(error)) from None
        return Write(name, waited_seconds=loop.time() - begun)

    async def done(self, scopes: Collection[str], write: Write) -> None:
        """Say that a write has ended; see `Stamps`."""
        left = self._patience_seconds - write.waited_seconds
        await self._insist(
            lambda: [self._done(scope, write.name) for scope in scopes],
            patience_seconds=max(left, self._patience_seconds * _END_SHARE),
        )

    async def ping(self) -> None:
        """Return if Redis takes what every write needs; for readiness.

        A PING is answered by a Redis that is full, that follows another or that allows this user
        nothing else. So a write is announced and ended, of a scope that nobody reads.

        Raises:
            StorageUnavailable: the text says why; a note has Redis's own words if it refuses.
        """
        name = next(self._names)
        try:
            await self._mark(_NOBODYS_SCOPE, name)
            await self._done(_NOBODYS_SCOPE, name)
        except RedisAway as error:
            unwell = StorageUnavailable(for_strangers(error))
            if isinstance(error, RedisRefuses):
                unwell.add_note(f"Redis says: {str(error)[:MAX_VALUE_CHARACTERS]}")
            raise unwell from None

    def _mark(self, scope: str, name: str) -> "Future[Any]":
        return self._channel.run_script(MARK, self._keys(scope), (name, self._mark_milliseconds))

    def _done(self, scope: str, name: str) -> "Future[Any]":
        newest = f"{self._operation_time.newest:0{_TIME_DIGITS}}"
        arguments = (next(self._names), self._mark_milliseconds, name, newest)
        return self._channel.run_script(DONE, self._keys(scope), arguments)

    async def _insist(
        self,
        send: Callable[[], Collection[Awaitable[Any]]],
        *,
        patience_seconds: float,
        within: float = inf,
    ) -> None:
        """Send commands again and again until all are answered; each may be carried out twice.

        Args:
            send: sends the commands.
            patience_seconds: for the answer to all of them.
            within: seconds after which an answer is as good as none.
        """
        away = None
        try:
            async with asyncio.timeout(patience_seconds):
                loop = asyncio.get_running_loop()
                while True:
                    sent = loop.time()
                    try:
                        for answer in send():
                            await answer
                    except RedisAway as error:
                        away = error
                        await asyncio.sleep(_RETRY_SECONDS)
                    else:
                        if loop.time() - sent < within:
                            return
        except TimeoutError:
            self._warn(away)
            raise StorageUnavailable("Redis does not answer") from None

    def _warn(self, away: RedisAway | None) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET_SECONDS
            log.warning("answering 503 to writes, which Redis must hear of: %s", away or "too late")

    @property
    def operation_time_key(self) -> str:
        """Where the operation time of the newest acknowledged write stands."""
        return f"{self._channel.prefix}{self._namespace}:t"

    def _keys(self, scope: str) -> tuple[str, ...]:
        prefix = f"{self._channel.prefix}{self._namespace}"
        return (
            *(self._stamp_key(scope), f"{prefix}:w:{scope}"),
            *(f"{prefix}:born", self.operation_time_key),
        )

    def _stamp_key(self, scope: str) -> str:
        return f"{self._channel.prefix}{self._namespace}:s:{scope}"


class _Stampless:
    """A time in which nobody who asked was told a stamp; one warning for each.

    Args:
        told_after: seconds of it, before there is a warning.
        forgotten_after: seconds in which nobody asks, and after which it begins anew.
    """

    def __init__(self, *, told_after: float, forgotten_after: float) -> None:
        self._told_after = told_after
        self._forgotten_after = forgotten_after
        self._since = self._last = -inf
        self._is_told = False

    def note(self) -> None:
        """Somebody has asked in vain."""
        now = asyncio.get_running_loop().time()
        if now - self._last > self._forgotten_after:
            self._since = now
        self._last = now
        if not self._is_told and now - self._since >= self._told_after:
            self._is_told = True
            log.warning(
                "nothing could be kept for %.3g s, so reads come from MongoDB: somebody writes all "
                "the time, or Redis's clock is set back again and again",
                now - self._since,
            )

    def end(self) -> None:
        """Somebody was told a stamp."""
        self._last = -inf
        if self._is_told:
            self._is_told = False
            log.info("answers are kept again")
