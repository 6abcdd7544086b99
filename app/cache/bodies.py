"""What all processes keep together, in Redis, and who fills it."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from random import uniform
from typing import Generic, TypeVar

from msgspec import MsgspecError, Struct

from app.cache.channel import RedisChannel
from app.cache.redis_scripts import CLAIM
from app.cache.redis_stamps import RedisStamps
from app.metrics import Metrics
from app.services.freshness import OperationTime

T = TypeVar("T")

_FORMAT = 1
"""Of the bodies: processes of another version, which have another, do not read them."""

_LEASE_MILLISECONDS = 500
"""A fill takes a few; when its process dies the others go on after so many."""

_FIRST_PAUSE_SECONDS = 0.002
_MOST_PAUSE_SECONDS = 0.05


class Codec(Struct, Generic[T], frozen=True):
    """How a body is stored as bytes."""

    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]


class Bodies(Generic[T]):
    """Bodies by stamp and key. A stamp never comes back, so a body need never be deleted.

    Args:
        channel: where Redis is.
        stamps: knows where Redis has the newest operation time.
        operation_time: what every fill must have read at least.
        codec: how a body is stored.
        largest_bytes: one that is larger is not stored.
        seconds: longest time that a body is kept, and up to a fifth less, so that not all go at
            once.
        metrics: where leases that were lost are counted.
    """

    def __init__(
        self,
        channel: RedisChannel,
        *,
        stamps: RedisStamps,
        operation_time: OperationTime,
        codec: Codec[T],
        largest_bytes: int,
        seconds: float,
        metrics: Metrics,
    ) -> None:
        self._channel = channel
        self._stamps = stamps
        self._operation_time = operation_time
        self._codec = codec
        self._largest_bytes = largest_bytes
        self._seconds = seconds
        self._metrics = metrics
        self._name = secrets.token_hex(8)

    async def get_or_claim(self, stamp: str, key: str) -> T | None:
        """Return a body, or None to whoever shall fill it: one process at a time.

        Whoever waits in vain for another process fills as well.

        Raises:
            RedisAway: nothing is known, not even what a fill must have read at least.
        """
        loop = asyncio.get_running_loop()
        pause, end = _FIRST_PAUSE_SECONDS, loop.time() + 2 * _LEASE_MILLISECONDS / 1000
        while True:
            # Never without an answer, however late: whoever fills must have heard of the newest
            # write (simulate.py --replay 4823 --world frozen).
            kind, newest, *body = await self._channel.run_script(
                CLAIM,
                (*self._keys(stamp, key), self._stamps.operation_time_key),
                (self._name, _LEASE_MILLISECONDS),
            )
            self._operation_time.hear_of(int(newest or 0))
            if body:
                # What cannot be read is not ours: it is filled again.
                with suppress(MsgspecError):
                    return self._codec.decode(body[0])
                return None
            if kind:
                return None
            if loop.time() >= end:
                self._metrics.cache("bodies", "lease_lost")
                return None
            await asyncio.sleep(uniform(pause / 2, pause))  # noqa: S311 - no secret.
            pause = min(2 * pause, _MOST_PAUSE_SECONDS)

    def put(self, stamp: str, key: str, body: T) -> None:
        """Store what was read under a stamp, and end the lease."""
        encoded = self._codec.encode(body)
        body_key, _ = self._keys(stamp, key)
        if len(encoded) <= self._largest_bytes:
            seconds = self._seconds * uniform(0.8, 1.0)  # noqa: S311 - no secret.
            self._channel.call("SET", body_key, encoded, "PX", round(seconds * 1000))
        self.give_up(stamp, key)

    def give_up(self, stamp: str, key: str) -> None:
        """Let somebody else fill."""
        self._channel.call("DEL", self._keys(stamp, key)[1])

    def _keys(self, stamp: str, key: str) -> tuple[str, str]:
        prefix = self._channel.prefix
        return f"{prefix}b{_FORMAT}:{stamp}:{key}", f"{prefix}l{_FORMAT}:{stamp}:{key}"
