"""The service without one of its defences, for each of them; only in the simulator."""

from asyncio import Future
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from simulated_broken_reads import (
    AnyFlight,
    AnyLoad,
    ForgottenAskers,
    HurriedBodies,
    LastKnownStamps,
    LateClosing,
    SharedProofs,
    StampAfterwards,
    UntoldStamps,
)
from simulated_history import Operation
from simulated_loop import SimulatedLoop
from simulated_mongo import OPERATION_SECONDS, SimulatedMongo
from simulated_process import Build, Writer
from simulated_server import RedisServer
from simulated_world import DEPOSED, FROZEN, LATE, LATE_STRICT, Kind

from app.cache.redis_scripts import LONGEST_MARK_SECONDS
from app.cache.scope import Scope
from app.errors import StorageUnavailable, TodoError
from app.services.freshness import OperationTime, Stamps, Write

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


class ForgetfulClock(RedisServer):
    """Takes marks from before its clock went back for marks that have passed."""

    def bound_marks(self, scope: Scope, now: int) -> None:
        marks, latest = scope.marks, now + LONGEST_MARK_SECONDS * 1000
        scope.marks = {write: end for write, end in marks.items() if end <= latest}


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


_NEVER_DONE = Build(writer=NeverDone)

# Where a defence against one thing is looked at, nothing else happens.
_CALM = Kind("calm", process_faults=())
_CUTS = Kind("cuts", ("cut",), process_faults=())
_EVICTIONS = Kind("evictions", ("evict",), process_faults=())
_RESTARTS = Kind("restarts", ("restart",), process_faults=())
_SET_BACK = Kind("set back", ("set_back",), process_faults=())
_LOST_DATA = Kind("lost data", ("restart", "flush"), process_faults=())


class Defence(NamedTuple):
    """What keeps a promise, and the service without it in a world that needs it.

    Attributes:
        seed: where a search begins; near one that shows it, so that it need not take long.
        with_it: the world with the defence, where that is a server's and no code of ours.
    """

    name: str
    without: Build
    kind: Kind = _CALM
    seed: int = 1
    with_it: Kind | None = None


_IN_TIME = Kind("in time", process_faults=())

DEFENCES = (
    Defence("a write is marked before it begins", Build(writer=UnmarkedWriter)),
    Defence(
        "a write that cannot be marked is not begun", Build(writer=OptionalMarks), _CUTS, seed=250
    ),
    Defence("a mark ends the stamp", Build(server=MarkKeepsStamp)),
    Defence("each writer has a mark of its own", Build(server=OneFlag), seed=1710),
    Defence(
        "a mark lasts longer than its write", Build(mark_seconds=OPERATION_SECONDS / 4), seed=1230
    ),
    Defence(
        *("MongoDB does no write after its deadline", Build(), LATE_STRICT),
        seed=7400,
        with_it=_IN_TIME,
    ),
    Defence("marks are not evicted", Build(server=EvictableMarks), _EVICTIONS, seed=140),
    Defence(
        "the mark of a write that may yet happen stays",
        Build(announced=ended_in_any_case),
        seed=8270,
    ),
    Defence("a write is durable before it is acknowledged", Build(mongo=EarlyAnswers)),
    Defence("a write's end is told before it is acknowledged", _NEVER_DONE, LATE, seed=1040),
    Defence("... and with it the write's time", _NEVER_DONE, DEPOSED),
    Defence(
        "a write's end ends a stamp younger than its mark",
        Build(server=DoneKeepsStamp),
        LATE,
        seed=790,
    ),
    Defence("a stamp is proved for every read", Build(stamps=LastKnownStamps)),
    Defence("a proof is asked for after the read began", Build(stamps=SharedProofs), seed=310),
    Defence("... and nobody joins those who asked before it", Build(stamps=LateClosing), seed=1110),
    Defence("... who are asked for with the next", Build(stamps=ForgottenAskers)),
    Defence(
        "what is read is kept under the stamp before it", Build(reads=StampAfterwards), seed=40
    ),
    Defence("who joins a fill has proved the same stamp", Build(reads=AnyFlight), seed=310),
    Defence("who has no stamp joins the next load", Build(reads=AnyLoad), seed=1210),
    Defence("a stamp never comes back", Build(server=CountedStamps), _EVICTIONS),
    Defence(
        "a new Redis gives no stamps at first", Build(server=NoQuarantine), _LOST_DATA, seed=3260
    ),
    Defence(
        "a mark outlives the time before its clock goes back",
        Build(server=ForgetfulClock),
        _SET_BACK,
        seed=1170,
    ),
    Defence(
        "what a restarted Redis has loaded is not ours", Build(server=NoRunId), _RESTARTS, seed=1710
    ),
    Defence("a read is as new as the last write", Build(operation_time=NoFloor), DEPOSED),
    Defence("... of any process", Build(server=UntoldTime), DEPOSED, seed=460),
    Defence(
        "... which comes with every stamp, and with every claim",
        Build(stamps=UntoldStamps, bodies=HurriedBodies),
        FROZEN,
        seed=9790,
    ),
)
