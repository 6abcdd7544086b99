"""How reads and writes stay coherent: what the services need of the cache."""

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Callable, Collection
from enum import Enum
from typing import Generic, NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class Write(NamedTuple):
    """A write that has been announced."""

    name: str
    waited_seconds: float = 0.0
    """What it took to announce it: its end may take only the rest of what a write may wait."""


class OperationTime:
    """The newest acknowledged write that this process has heard of, as MongoDB counts time.

    Every read must be at least as new: a server that was the primary until a moment ago would
    answer from its own past. Only writes move it; the time that comes with a read's answer may be
    newer than what was read.
    """

    __slots__ = ("newest",)

    def __init__(self) -> None:
        self.newest = 0

    def hear_of(self, time: int) -> None:
        """Move forward to a time, which is 64 bits: seconds and a counter."""
        self.newest = max(self.newest, time)


class Asker(Protocol):
    """Whoever wants to know whether what is kept is current, for any number of requests."""

    def close(self) -> int:
        """Take no more requests, for the question is put now; return for how many it is."""
        ...

    def hear(self, stamp: str | None) -> None:
        """Take the answer; must not raise."""
        ...


class OneAsker:
    """Asks for one coroutine, which awaits ``stamp``."""

    __slots__ = ("stamp",)

    def __init__(self) -> None:
        self.stamp: Future[str | None] = asyncio.get_running_loop().create_future()

    def close(self) -> int:
        """Return 1."""
        return 1

    def hear(self, stamp: str | None) -> None:
        """Let the coroutine go on, unless it was cancelled."""
        if not self.stamp.done():
            self.stamp.set_result(stamp)


class Stamps(Protocol):
    """Tells whether what is kept for a scope is current; see `app.cache.scope`."""

    def prove(self, scope: str, asker: Asker) -> None:
        """Tell the stamp that the scope has at some time after the asker was closed.

        None: nothing may be kept or given, the database must be asked. Nobody is told before this
        returns.
        """
        ...

    async def mark(self, scopes: Collection[str]) -> Write:
        """Announce a write, so that nothing that is kept for these scopes is given any more.

        Raises:
            WriteNotBegun: it could not be announced in time and must not be begun.
        """
        ...

    async def done(self, scopes: Collection[str], write: Write) -> None:
        """Say that a write has ended; when this returns it may be acknowledged.

        Raises:
            StorageUnavailable: it could not be said in time. Nothing is kept until the mark's
                deadline, so whatever became of the write, no reader is misled.
        """
        ...


class Source(NamedTuple, Generic[T]):
    """Something that can be read: what the cache knows of it."""

    scope: str
    """What it is coherent with; see `app.cache.scope`."""

    key: str
    """Names it in its scope: equal keys, equal bodies."""

    load: Callable[[str | None], Awaitable[T]]
    """Reads it from the database; is told the stamp that was proved before, if there was one."""


class Level(Enum):
    """Where a body was found, or why it was not; as RFC 9211 says it."""

    PROCESS = "hit; detail=process"
    REDIS = "hit; detail=redis"
    STORED = "fwd=miss; stored"
    BYPASS = "fwd=bypass"
    """A write may be under way, or Redis is away: nothing is kept."""


class Found(NamedTuple, Generic[T]):
    """What a read has found."""

    body: T
    level: Level


class Reader(Protocol[T]):
    """Reads sources: what it returns is never older than the last acknowledged write."""

    def prove(self, scope: str, asker: Asker) -> None:
        """Tell the stamp that a scope has; see `Stamps.prove`."""
        ...

    def recall(self, source: Source[T], stamp: str | None, *, readers: int = 1) -> T | None:
        """Return what is at hand of a source, under a stamp that was just proved."""
        ...

    async def stamp_of(self, scope: str) -> str | None:
        """Return the stamp that a scope has at some time after the call; see `Stamps.prove`."""
        ...

    async def read_on(self, source: Source[T], stamp: str | None, *, readers: int = 1) -> Found[T]:
        """Return a source's body when its scope's stamp was just proved, or could not be.

        Raises what its ``load`` raises.
        """
        ...
