"""Runs the service with a part of its cache off, to measure what the part costs or gives.

``python -m benchmarks.cache_variant unproved FLAGS`` serves with the flags of ``run.py``, but asks
Redis for a scope's stamp until there is one, and takes that for ever: reads cost all that they cost
otherwise but the round trip, and miss writes. ``uncached`` reads MongoDB for every request.
"""

import sys
from collections.abc import Sequence
from typing import Any

from app.cache.channel import Argument, RedisAway, RedisChannel, Then
from app.cache.reads import Reads
from app.cli import run
from app.services.freshness import Found, Level, Source
from handlers.shortcut import Shortcut


def unproved() -> None:
    """Answer the command that proves freshness at once, with what Redis said before."""
    ask = RedisChannel.ask
    believed: dict[Argument, bytes] = {}

    def believe(self: RedisChannel, command: Sequence[Argument], then: Then) -> None:
        name, *keys = command
        if name != "MGET":
            ask(self, command, then)
            return

        def hear(answer: Any) -> None:
            if not isinstance(answer, RedisAway):
                told = zip(keys, answer, strict=True)
                # Until there is a stamp: a fresh Redis gives none at first.
                believed.update((key, stamp) for key, stamp in told if stamp is not None)
            then(answer)

        told = list(map(believed.get, keys))
        if None in told[:-1]:  # The last is the time of the newest write, if there was one.
            ask(self, command, hear)
        else:
            then(told)

    RedisChannel.ask = believe  # type: ignore[method-assign]


def uncached() -> None:
    """Load for every read, on the ordinary road."""

    async def read_on(
        _self: Reads[Any], source: Source[Any], _stamp: str | None, **_: Any
    ) -> Found[Any]:
        return Found(await source.load(None), Level.BYPASS)

    async def stamp_of(*_: object) -> None:
        """Ask Redis for nothing."""

    def remember(*_: object) -> None:
        """Leave every request to the ordinary road."""

    Reads.stamp_of = stamp_of  # type: ignore[method-assign, assignment]
    Reads.read_on = read_on  # type: ignore[method-assign, assignment]
    Shortcut.remember = remember  # type: ignore[method-assign, assignment]


VARIANTS = {variant.__name__: variant for variant in (unproved, uncached)}

if __name__ == "__main__":
    VARIANTS[sys.argv.pop(1)]()
    run()
