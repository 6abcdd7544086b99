"""The service with one of the cache's defences off, so that the checker has something to find.

BROKEN_DEFENCE=marks python tests/freshness_broken_service.py --port 8000 ...
"""

import os
import sys
from asyncio import Future  # noqa: TC003 - beside what is used.
from collections.abc import Collection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from app.cache.redis_stamps import RedisStamps
from app.cli import run
from app.services.freshness import Write


def without_proof() -> None:
    """Believe for ever the first stamp that was proved."""
    prove = RedisStamps.prove
    believed: dict[str, Future[str | None]] = {}

    def believe(self: RedisStamps, scope: str) -> "Future[str | None]":
        known = believed.get(scope)
        if known is None or (known.done() and known.result() is None):
            known = believed[scope] = prove(self, scope)
        return known

    RedisStamps.prove = believe  # type: ignore[method-assign]


def without_marks() -> None:
    """Write without telling anybody before, and without taking the stamp away after."""

    async def mark(_: RedisStamps, scopes: Collection[str]) -> Write:
        return Write(f"of {len(scopes)}")

    async def done(_: RedisStamps, scopes: Collection[str], write: Write) -> None:
        del scopes, write

    RedisStamps.mark = mark  # type: ignore[method-assign]
    RedisStamps.done = done  # type: ignore[method-assign]


def without_announcing() -> None:
    """Take the stamp away after a write only, as caches that are deleted on write do."""

    async def mark(_: RedisStamps, scopes: Collection[str]) -> Write:
        return Write(f"of {len(scopes)}")

    RedisStamps.mark = mark  # type: ignore[method-assign]


DEFENCES = {"proof": without_proof, "marks": without_marks, "announcing": without_announcing}

if __name__ == "__main__":
    DEFENCES[os.environ["BROKEN_DEFENCE"]]()
    run()
