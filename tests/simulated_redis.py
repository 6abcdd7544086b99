"""A Redis in memory: the scripts as `app.cache.scope` says them, and what may happen to a Redis."""

from collections.abc import Callable, Sequence
from typing import Any

from app.cache import scope as protocol
from app.cache.redis_scripts import CLAIM, DONE, LONGEST_MARK_SECONDS, MARK, OPEN
from app.cache.scope import Scope

Values = Sequence[Any]


class RedisScripts:
    """Keys and what the commands of the cache do with them.

    Args:
        milliseconds: the time of this Redis.
    """

    def __init__(self, milliseconds: Callable[[], int]) -> None:
        self._milliseconds = milliseconds
        self.data: dict[str, Any] = {}
        self.deadlines: dict[str, float] = {}
        """Of the keys that have a time to live, which are those that may be evicted."""
        self._commands: dict[str, Callable[[Values, Values], Any]] = {
            MARK: self.mark,
            DONE: self.done,
            OPEN: self.open,
            CLAIM: self.claim,
            "MGET": self.mget,
            "SET": self.set,
            "DEL": self.delete,
        }

    def execute(self, name: str, keys: Values, arguments: Values) -> Any:
        """Carry out a script or a command; return the answer."""
        return self._commands[name](keys, arguments)

    def mark(self, keys: Values, arguments: Values) -> None:
        """See `redis_scripts.MARK`."""
        now, _ = self._begin(keys)
        scope = self._scope(keys)
        protocol.mark(scope, arguments[0], deadline=now + arguments[1])
        self._keep(keys, scope)

    def done(self, keys: Values, arguments: Values) -> list[bytes]:
        """See `redis_scripts.DONE`."""
        stamp, milliseconds, write, newest = arguments
        now, known = self._begin(keys)
        scope = self._scope(keys)
        self.bound_marks(scope, now)
        settled = self.is_settled(now, keys, milliseconds)
        protocol.done(scope, write, now=now, is_settled=settled, stamp=self.new_stamp(keys, stamp))
        self._keep(keys, scope)
        if newest > known:
            self.data[keys[3]] = known = newest
        return self._told(known, scope.stamp)

    def open(self, keys: Values, arguments: Values) -> list[bytes]:
        """See `redis_scripts.OPEN`."""
        stamp, milliseconds = arguments
        now, newest = self._begin(keys)
        scope = self._scope(keys)
        settled = self.is_settled(now, keys, milliseconds)
        if scope.stamp is None:
            self.bound_marks(scope, now)
            stamp = self.new_stamp(keys, stamp)
            protocol.open_for_reading(scope, now=now, is_settled=settled, stamp=stamp)
            self._keep(keys, scope)
        return self._told(newest, scope.stamp)

    def claim(self, keys: Values, arguments: Values) -> list[Any]:
        """See `redis_scripts.CLAIM`."""
        body, lease, time = keys
        name, milliseconds = arguments
        newest = self.data.get(time, "").encode()
        if body in self.data:
            return [2, newest, self.data[body]]
        now = self._milliseconds()
        if lease in self.data and self.deadlines[lease] > now:
            return [0, newest]
        self.data[lease] = name
        self.deadlines[lease] = now + milliseconds
        return [1, newest]

    def mget(self, keys: Values, _: Values) -> list[bytes | None]:
        """Return stamps."""
        found = map(self.data.get, keys)
        return [None if value is None else value.encode() for value in found]

    def set(self, keys: Values, _: Values) -> None:
        """Store a body; longer than any of this lives."""
        key, body, *_ = keys
        self.data[key] = body
        self.deadlines[key] = float("inf")

    def delete(self, keys: Values, _: Values) -> None:
        """Delete keys."""
        for key in keys:
            self.data.pop(key, None)
            self.deadlines.pop(key, None)

    def bound_marks(self, scope: Scope, now: int) -> None:
        """Let marks that were made before the clock went back begin anew."""
        protocol.bound_marks(scope, latest=now + LONGEST_MARK_SECONDS * 1000)

    def is_settled(self, now: int, keys: Values, milliseconds: int) -> bool:
        """Tell whether all marks that were lost with an earlier state have passed."""
        return now >= self.data[keys[2]] + milliseconds

    def new_stamp(self, keys: Values, stamp: str) -> str:
        """Return the stamp that a scope may get."""
        return stamp

    def _begin(self, keys: Values) -> tuple[int, str]:
        now = self._milliseconds()
        self.data[keys[2]] = min(now, self.data.get(keys[2], now))
        return now, self.data.get(keys[3], "")

    def _scope(self, keys: Values) -> Scope:
        return Scope(self.data.get(keys[0]), dict(self.data.get(keys[1], ())))

    def _keep(self, keys: Values, scope: Scope) -> None:
        stamp, marks, *_ = keys
        if scope.stamp is None:
            self.data.pop(stamp, None)
            self.deadlines.pop(stamp, None)
        else:
            self.data[stamp] = scope.stamp
            self.deadlines[stamp] = float("inf")
        if scope.marks:
            self.data[marks] = scope.marks
        else:
            self.data.pop(marks, None)

    def _told(self, newest: str, stamp: str | None) -> list[bytes]:
        return [newest.encode()] if stamp is None else [newest.encode(), stamp.encode()]
