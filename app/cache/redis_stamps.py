"""Stamps in Redis, for any number of processes and nodes."""

import asyncio
import secrets
from asyncio import Future
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from itertools import count
from math import inf
from typing import Any

from app.cache.channel import RedisAway, RedisChannel
from app.cache.redis_scripts import DONE, MARK, OPEN
from app.errors import StorageUnavailable
from app.metrics import Metrics
from app.services.freshness import OperationTime, Write

_RETRY_SECONDS = 0.05
"""Between two attempts to reach Redis: a restarted one is back in a fraction of a second."""

_LATEST_SECONDS = 1.0
"""Between a mark and its answer: a process that was stopped meanwhile would begin to write when its
mark has little time left, or none. Half of what a mark lives longer than an operation may take."""

_TIME_DIGITS = 20
"""Of the largest 64-bit number: Lua compares operation times as texts, its numbers have 53 bits."""


class RedisStamps:
    """Keeps `scope.Scope` in Redis; `Stamps`.

    Args:
        channel: where Redis is.
        namespace: tells this database's scopes from those of others in the same Redis.
        operation_time: told by and told to the other processes.
        mark_seconds: longest time that a write may take between its mark and its end.
        patience_seconds: how long a write waits for Redis.
        metrics: where proofs are counted.
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
    ) -> None:
        self._channel = channel
        self._namespace = namespace
        self._operation_time = operation_time
        self._mark_milliseconds = round(mark_seconds * 1000)
        self._patience_seconds = patience_seconds
        self._metrics = metrics
        # What has been asked in this turn of the loop.
        self._asked: dict[str, Future[str | None]] = {}
        self._requests = 0
        # No stamp and no write is ever named twice, by whatever process.
        self._names = map(f"{secrets.token_hex(8)}-{{:x}}".format, count())

    def prove(self, scope: str) -> "Future[str | None]":
        """Return the stamp that the scope has at some time after this call.

        All that ask in one turn of the loop share one command; those who ask for one scope share
        the future too, so nobody may cancel it.
        """
        self._requests += 1
        proof = self._asked.get(scope)
        if proof is None:
            loop = asyncio.get_running_loop()
            if not self._asked:
                loop.call_soon(self._send)
            proof = self._asked[scope] = loop.create_future()
        return proof

    def _send(self) -> None:
        asked, self._asked = self._asked, {}
        self._metrics.proof(self._requests)
        self._requests = 0
        answer = self._channel.call("MGET", *map(self._stamp_key, asked))
        answer.add_done_callback(partial(self._hear, asked))

    def _hear(self, asked: "dict[str, Future[str | None]]", answer: "Future[Any]") -> None:
        if answer.exception() is not None:
            self._metrics.unproved("redis_away")
            for proof in asked.values():
                _settle(proof, None)
            return
        for (scope, proof), stamp in zip(asked.items(), answer.result(), strict=True):
            if stamp is not None:
                _settle(proof, stamp.decode())
            else:
                self._open(scope).add_done_callback(partial(self._opened, proof))

    def _open(self, scope: str) -> "Future[Any]":
        return self._channel.run_script(
            OPEN, self._keys(scope), (next(self._names), self._mark_milliseconds)
        )

    def _opened(self, proof: "Future[str | None]", answer: "Future[Any]") -> None:
        stamp: tuple[bytes, ...] = ()
        if answer.exception() is None:
            newest, *stamp = answer.result()
            # Whoever must ask the database now shall not be told of the past.
            self._operation_time.hear_of(int(newest or 0))
        if not stamp:
            self._metrics.unproved("writing")
        _settle(proof, stamp[0].decode() if stamp else None)

    async def mark(self, scopes: Collection[str]) -> Write:
        """Announce a write; see `Stamps`."""
        write = Write(next(self._names))
        await self._insist(
            lambda: [
                self._channel.run_script(MARK, self._keys(scope), (write, self._mark_milliseconds))
                for scope in scopes
            ],
            within=_LATEST_SECONDS,
        )
        return write

    async def done(self, scopes: Collection[str], write: Write) -> None:
        """Say that a write has ended; see `Stamps`."""
        newest = f"{self._operation_time.newest:0{_TIME_DIGITS}}"
        await self._insist(
            lambda: [
                self._channel.run_script(
                    DONE,
                    self._keys(scope),
                    (next(self._names), self._mark_milliseconds, write, newest),
                )
                for scope in scopes
            ]
        )

    async def _insist(
        self, send: Callable[[], Collection[Awaitable[Any]]], *, within: float = inf
    ) -> None:
        """Send commands again and again until all are answered; each may be carried out twice.

        Args:
            send: sends the commands.
            within: seconds after which an answer is as good as none.
        """
        try:
            async with asyncio.timeout(self._patience_seconds):
                loop = asyncio.get_running_loop()
                while True:
                    sent = loop.time()
                    try:
                        for answer in send():
                            await answer
                    except RedisAway:
                        await asyncio.sleep(_RETRY_SECONDS)
                    else:
                        if loop.time() - sent < within:
                            return
        except TimeoutError:
            raise StorageUnavailable("Redis does not answer") from None

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


def _settle(proof: "Future[str | None]", stamp: str | None) -> None:
    if not proof.done():  # Who shares it may have been cancelled while it waited.
        proof.set_result(stamp)
