"""The service with one of the cache's defences off, so that the checker has something to find.

BROKEN_DEFENCE=marks python tests/freshness_broken_service.py --port 8000 ...
"""

import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from app.cache.channel import RedisAway
from app.cache.proofs import Asked
from app.cache.redis_stamps import RedisStamps
from app.cli import run
from app.services.freshness import Write


def without_proof() -> None:
    """Believe for ever the first stamp that was proved."""
    ask, hear = RedisStamps._ask, RedisStamps._hear
    believed: dict[str, bytes] = {}

    def ask_once(self: RedisStamps, asked: Asked, requests: int) -> None:
        stamps = list(map(believed.get, asked))
        if None in stamps:
            ask(self, asked, requests)
        else:
            hear(self, asked, [*stamps, None])

    def believe(self: RedisStamps, asked: Asked, answer: Any) -> None:
        if not isinstance(answer, RedisAway):
            told = zip(asked, answer[:-1], strict=True)
            believed.update((scope, stamp) for scope, stamp in told if stamp is not None)
        hear(self, asked, answer)

    RedisStamps._ask = ask_once  # type: ignore[method-assign]
    RedisStamps._hear = believe  # type: ignore[method-assign]


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
