"""Runs the service with a part of its cache off, to measure what the part costs or gives.

``python -m benchmarks.cache_variant unproved FLAGS`` serves with the flags of ``run.py``, but takes
the freshness proof that it got last for ever: reads cost as much as they would without the proof,
and miss writes. ``uncached`` reads MongoDB for every request.
"""

import sys
from asyncio import Future
from typing import Any

from app.cache.reads import Reads
from app.cli import run
from app.services.freshness import Found, Level, Source
from handlers.shortcut import Shortcut


def unproved() -> None:
    """Have a scope's freshness proved once."""
    ask = Reads.prove
    proofs: dict[str, Future[str | None]] = {}

    def prove(self: Reads[Any], scope: str) -> Future[str | None]:
        proof = proofs.get(scope)
        # Until there is a stamp: a fresh Redis gives none at first.
        if proof is None or (proof.done() and proof.result() is None):
            proof = proofs[scope] = ask(self, scope)
        return proof

    Reads.prove = prove  # type: ignore[method-assign]


def uncached() -> None:
    """Load for every read, on the ordinary road."""

    async def read(_self: Reads[Any], source: Source[Any]) -> Found[Any]:
        return Found(await source.load(), Level.BYPASS)

    def remember(*_: object) -> None:
        """Leave every request to the ordinary road."""

    Reads.read = read  # type: ignore[method-assign, assignment]
    Shortcut.remember = remember  # type: ignore[method-assign, assignment]


VARIANTS = {variant.__name__: variant for variant in (unproved, uncached)}

if __name__ == "__main__":
    VARIANTS[sys.argv.pop(1)]()
    run()
