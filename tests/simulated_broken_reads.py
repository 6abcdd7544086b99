"""Reading without one of its defences, for each of them; only in the simulator."""

import asyncio
from asyncio import Future
from itertools import chain
from typing import Any

from app.cache.bodies import Bodies
from app.cache.channel import RedisAway
from app.cache.proofs import Asked, Proofs
from app.cache.reads import Reads
from app.cache.redis_stamps import RedisStamps
from app.services.freshness import Asker, Found, Level, OneAsker, Source


class LastKnownStamps(RedisStamps):
    """Asks for a stamp once, and does not prove it again until it has none."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._known: dict[str, bytes] = {}

    def _ask(self, asked: Asked, requests: int) -> None:
        stamps = list(map(self._known.get, asked))
        if None in stamps:
            super()._ask(asked, requests)
        else:
            self._hear(asked, [*stamps, None])

    def _hear(self, asked: Asked, answer: Any) -> None:
        if not isinstance(answer, RedisAway):
            told = zip(asked, answer[:-1], strict=True)
            self._known |= {scope: stamp for scope, stamp in told if stamp is not None}
        super()._hear(asked, answer)


class UntoldStamps(RedisStamps):
    """Does not listen when Redis tells the time of the newest write with a stamp."""

    def _hear(self, asked: Asked, answer: Any) -> None:
        if not isinstance(answer, RedisAway):
            answer = [*answer[:-1], None]
        super()._hear(asked, answer)


class SharedProofs(RedisStamps):
    """Tells the answer to the question that is out to those who ask meanwhile, too."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._out: Asked = {}

    def prove(self, scope: str, asker: Asker) -> None:
        if scope in self._out:
            asker.close()
            self._out[scope].append(asker)
        else:
            super().prove(scope, asker)

    def _ask(self, asked: Asked, requests: int) -> None:
        self._out = asked
        super()._ask(asked, requests)

    def _hear(self, asked: Asked, answer: Any) -> None:
        self._out = {}
        super()._hear(asked, answer)


class _OpenAskers(Proofs):
    """Lets those who ask take more requests when their question is put."""

    def _put_all(self) -> None:
        asked, self._asked = self._asked, {}
        self._put(asked, 0)


class LateClosing(RedisStamps):
    """Lets those who ask take more requests until the answer has come."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._proofs = _OpenAskers(self._ask)

    def _hear(self, asked: Asked, answer: Any) -> None:
        for asker in chain.from_iterable(asked.values()):
            asker.close()
        super()._hear(asked, answer)


class _ForgetfulProofs(Proofs):
    """Does not put what was asked while a question was out."""

    def answered(self) -> None:
        self._is_due = False


class ForgottenAskers(RedisStamps):
    """Asks for those who asked while a question was out when somebody else asks, or never."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._proofs = _ForgetfulProofs(self._ask)


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
        body = await source.load(stamp)
        asker = OneAsker()
        self.prove(source.scope, asker)
        now = await asker.stamp
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
