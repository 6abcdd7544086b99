"""The service without one of its defences, for each of them; only in the simulator."""

import asyncio
from asyncio import Future
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from simulated_history import Operation
from simulated_loop import SimulatedLoop
from simulated_mongo import OPERATION_SECONDS, SimulatedMongo
from simulated_process import Build, Writer
from simulated_server import RedisServer
from simulated_world import DEPOSED, FROZEN, LATE, LATE_STRICT, Kind

from app.cache.bodies import Bodies
from app.cache.reads import Reads
from app.cache.redis_stamps import RedisStamps
from app.errors import StorageUnavailable, TodoError
from app.services.freshness import Found, Level, OperationTime, Source, Stamps, Write

Values = Any


class UnmarkedWriter(Writer):
    async def mark(self, scopes: Collection[str]) -> Write:
        return Write("never marked")


class OptionalMarks(Writer):
    async def mark(self, scopes: Collection[str]) -> Write:
        try:
            return await super().mark(scopes)
        except StorageUnavailable:
            return Write("not marked")


class NeverDone(Writer):
    async def done(self, scopes: Collection[str], write: Write) -> None:
        return


@asynccontextmanager
async def ended_in_any_case(stamps: Stamps, scopes: Collection[str]) -> AsyncIterator[None]:
    write = await stamps.mark(scopes)
    try:
        yield
    except TodoError:
        await stamps.done(scopes, write)
        raise
    await stamps.done(scopes, write)


class DoneKeepsStamp(RedisServer):
    def done(self, keys: Values, arguments: Values) -> list[bytes]:
        stamp = self.data.get(keys[0])
        answer = super().done(keys, arguments)
        if stamp is not None:
            self.data[keys[0]] = stamp
        return answer


class MarkKeepsStamp(RedisServer):
    def mark(self, keys: Values, arguments: Values) -> None:
        stamp = self.data.get(keys[0])
        super().mark(keys, arguments)
        if stamp is not None:
            self.data[keys[0]] = stamp


class OneFlag(RedisServer):
    def mark(self, keys: Values, arguments: Values) -> None:
        super().mark(keys, ("flag", *arguments[1:]))

    def done(self, keys: Values, arguments: Values) -> list[bytes]:
        stamp, milliseconds, _, newest = arguments
        return super().done(keys, (stamp, milliseconds, "flag", newest))


class NoQuarantine(RedisServer):
    def is_settled(self, now: int, keys: Values, milliseconds: int) -> bool:
        return True


class CountedStamps(RedisServer):
    """Stamps that count from 1 again when Redis has lost the count."""

    def new_stamp(self, keys: Values, stamp: str) -> str:
        name = f"{keys[0]}:count"
        self.data[name] = str(int(self.data.get(name, "0")) + 1)
        self.deadlines[name] = float("inf")
        return self.data[name]


class NoRunId(RedisServer):
    has_run_id = False


class EvictableMarks(RedisServer):
    def evictable(self) -> list[str]:
        return [*super().evictable(), *(key for key in self.data if ":w:" in key)]


class UntoldTime(RedisServer):
    """Tells no process of the operation times of the others."""

    def _told(self, newest: str, stamp: str | None) -> list[bytes]:
        return super()._told("", stamp)

    def claim(self, keys: Values, arguments: Values) -> list[Any]:
        kind, _, *body = super().claim(keys, arguments)
        return [kind, b"", *body]


class NoFloor(OperationTime):
    __slots__ = ()

    def hear_of(self, time: int) -> None:
        return


class EarlyAnswers(SimulatedMongo):
    """Says that a write is durable when it has only arrived."""

    def write(
        self, loop: SimulatedLoop, operations: Sequence[Operation], marked_at: float
    ) -> Future[int]:
        super().write(loop, operations, marked_at)
        answer = loop.create_future()
        answer.set_result(self._time)
        return answer


class LastKnownStamps(RedisStamps):
    """Asks for a stamp once, and does not prove it again until it has none."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._known: dict[str, Future[str | None]] = {}

    def prove(self, scope: str) -> Future[str | None]:
        known = self._known.get(scope)
        if known is None or (known.done() and known.result() is None):
            known = self._known[scope] = super().prove(scope)
        return known


class SharedProofs(RedisStamps):
    """Gives a proof that is under way to those who ask after it was sent."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._under_way: dict[str, Future[str | None]] = {}

    def prove(self, scope: str) -> Future[str | None]:
        proof = self._under_way.get(scope)
        if proof is None or proof.done():
            proof = self._under_way[scope] = super().prove(scope)
        return proof


class HurriedBodies(Bodies[bytes]):
    """Lets a process fill that has not heard from Redis, because it was stopped itself."""

    async def get_or_claim(self, stamp: str, key: str) -> bytes | None:
        try:
            async with asyncio.timeout(1.0):
                return await super().get_or_claim(stamp, key)
        except TimeoutError:
            return None


class _AnyStamp(dict[Any, "Future[Found[bytes]]"]):
    """Flights by key alone."""

    def get(self, place: Any, default: Any = None) -> Any:
        return super().get(place[1], default)

    def __setitem__(self, place: Any, flight: Future[Found[bytes]]) -> None:
        super().__setitem__(place[1], flight)

    def __delitem__(self, place: Any) -> None:
        super().pop(place[1], None)


class AnyFlight(Reads[bytes]):
    """Lets whoever asks join a fill, under whatever stamp it began."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._fills = _AnyStamp()


class StampAfterwards(Reads[bytes]):
    """Keeps what it has read under the stamp that is there when it has been read."""

    async def _fill(self, source: Source[bytes], stamp: str) -> Found[bytes]:
        body = await source.load()
        now = await self.prove(source.scope)
        if now is not None:
            self._answers.get(source.scope, now, source.key)
            self._answers.put(source.scope, now, source.key, body)
        return Found(body, Level.STORED)


class AnyLoad(Reads[bytes]):
    """Lets whoever asks join a load that runs already."""

    async def _load_anew(self, source: Source[bytes]) -> bytes:
        running: dict[str, asyncio.Task[bytes]] = self.__dict__.setdefault("running", {})
        if source.key not in running:
            load = asyncio.create_task(super()._load_anew(source))
            running[source.key] = load
            load.add_done_callback(lambda _: running.pop(source.key))
        return await asyncio.shield(running[source.key])


_NEVER_DONE = Build(writer=NeverDone)

# Where a defence against one thing is looked at, nothing else happens.
_CALM = Kind("calm", process_faults=())
_CUTS = Kind("cuts", ("cut",), process_faults=())
_EVICTIONS = Kind("evictions", ("evict",), process_faults=())
_RESTARTS = Kind("restarts", ("restart",), process_faults=())
_LOST_DATA = Kind("lost data", ("restart", "flush"), process_faults=())


class Defence(NamedTuple):
    """What keeps a promise, and the service without it in a world that needs it.

    Attributes:
        seed: where a search begins; near one that shows it, so that it need not take long.
    """

    name: str
    without: Build
    kind: Kind = _CALM
    seed: int = 1


DEFENCES = (
    Defence("a write is marked before it begins", Build(writer=UnmarkedWriter)),
    Defence("a write that cannot be marked is not begun", Build(writer=OptionalMarks), _CUTS),
    Defence("a mark ends the stamp", Build(server=MarkKeepsStamp)),
    Defence("each writer has a mark of its own", Build(server=OneFlag), seed=700),
    Defence(
        "a mark lasts longer than its write", Build(mark_seconds=OPERATION_SECONDS / 4), seed=880
    ),
    Defence("MongoDB does no write after its deadline", Build(), LATE_STRICT, seed=4060),
    Defence("marks are not evicted", Build(server=EvictableMarks), _EVICTIONS),
    Defence(
        "the mark of a write that may yet happen stays",
        Build(announced=ended_in_any_case),
        seed=8040,
    ),
    Defence("a write is durable before it is acknowledged", Build(mongo=EarlyAnswers)),
    Defence("a write's end is told before it is acknowledged", _NEVER_DONE, LATE),
    Defence("... and with it the write's time", _NEVER_DONE, DEPOSED),
    Defence(
        "a write's end ends a stamp younger than its mark",
        Build(server=DoneKeepsStamp),
        LATE,
        seed=520,
    ),
    Defence("a stamp is proved for every read", Build(stamps=LastKnownStamps)),
    Defence("a proof is asked for after the read began", Build(stamps=SharedProofs)),
    Defence("what is read is kept under the stamp before it", Build(reads=StampAfterwards)),
    Defence("who joins a fill has proved the same stamp", Build(reads=AnyFlight)),
    Defence("who has no stamp joins the next load", Build(reads=AnyLoad), seed=470),
    Defence("a stamp never comes back", Build(server=CountedStamps), _EVICTIONS),
    Defence(
        "a new Redis gives no stamps at first", Build(server=NoQuarantine), _LOST_DATA, seed=250
    ),
    Defence(
        "what a restarted Redis has loaded is not ours", Build(server=NoRunId), _RESTARTS, seed=1710
    ),
    Defence("a read is as new as the last write", Build(operation_time=NoFloor), DEPOSED),
    Defence("... of any process", Build(server=UntoldTime), DEPOSED),
    Defence("... which every fill has been told", Build(bodies=HurriedBodies), FROZEN, seed=4820),
)
