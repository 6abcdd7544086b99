"""Redis as the simulated processes see it: a server that fails, and a channel that loses it."""

from asyncio import Future
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any

from simulated_loop import SimulatedLoop, Timeline
from simulated_redis import RedisScripts

from app.cache.channel import RedisAway, Then
from app.cache.redis_scripts import MARK

TIMEOUT_SECONDS = 0.5
"""After which the channel gives a silent connection up."""

LATEST_SECONDS = 4.0
"""After which hardly anything of a lost connection is carried out."""


class RedisServer(RedisScripts):
    """A Redis that is restarted, flushed, stopped and short of memory, and whose clock is set back.

    Attributes:
        epoch: counts the starts; what was sent to an earlier one is lost.
        down_until: when it accepts connections again.
        stopped_until: when it goes on with what has arrived meanwhile.
        marked: when each write was marked, in each scope; the last time counts.
    """

    has_run_id = True

    def __init__(self, timeline: Timeline) -> None:
        super().__init__(lambda: int((timeline.now - self.set_back_seconds) * 1000))
        self.set_back_seconds = 0.0
        self.timeline = timeline
        self.epoch = 0
        self.down_until = 0.0
        self.stopped_until = 0.0
        self.marked: dict[str, dict[str, float]] = {}
        self._snapshot: dict[str, Any] = {}
        self._channels: list[SimulatedChannel] = []

    @property
    def prefix(self) -> str:
        """What the channel puts before all keys."""
        return f"todo:{self.epoch if self.has_run_id else ''}:"

    def execute(self, name: str, keys: Any, arguments: Any) -> Any:
        """Carry out a script or a command; return the answer."""
        if name is MARK:
            self.marked.setdefault(arguments[0], {})[keys[1]] = self.timeline.now
        answer = super().execute(name, keys, arguments)
        if self.timeline.random.random() < 0.05:
            self._snapshot = dict(self.data)
        if self.timeline.trace is not None:
            shown = name if len(name) < 9 else self._commands[name].__name__.upper()
            self.timeline.tell("  redis:", shown, *keys[:1], *arguments, "->", answer)
        return answer

    def marked_at(self, write: str) -> float:
        """Return when a write was marked in all its scopes; now, if it never was."""
        return min(self.marked.get(write, {}).values(), default=self.timeline.now)

    def add(self, channel: "SimulatedChannel") -> None:
        """Know a channel, to tell it when this server is gone."""
        self._channels.append(channel)

    def restart(self, seconds: float, *, loads: bool) -> None:
        """Lose everything but, perhaps, the last snapshot; be away for some time."""
        self.timeline.tell("redis is restarted", "with its snapshot" if loads else "empty")
        self.epoch += 1
        self.down_until = self.timeline.now + seconds
        self.data = dict(self._snapshot) if loads else {}
        self.deadlines = {key: float("inf") for key in self.data if ":w:" not in key}
        for channel in self._channels:
            channel.lose()

    def flush(self) -> None:
        """Lose all keys."""
        self.timeline.tell("redis is flushed")
        self.data, self.deadlines = {}, {}

    def set_clock_back(self, seconds: float) -> None:
        """Let its clock go back."""
        self.timeline.tell("redis's clock goes back by", seconds)
        self.set_back_seconds += seconds

    def evict(self) -> None:
        """Lose some of the keys that have a time to live."""
        for key in [key for key in self.evictable() if self.timeline.random.random() < 0.6]:
            self.timeline.tell("redis evicts", key)
            self.delete((key,), ())

    def evictable(self) -> list[str]:
        """Return the keys that the policy allows to evict."""
        return list(self.deadlines)

    def stop(self, seconds: float) -> None:
        """Carry nothing out for some time."""
        if self.stopped_until > self.timeline.now:
            return
        self.timeline.tell("redis is stopped for", seconds)
        self.stopped_until = self.timeline.now + seconds
        for channel in self._channels:
            channel.watch()


class _Connection:
    """Commands in order, answers in order."""

    __slots__ = ("answered", "arrival", "epoch", "is_lost", "unanswered")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.arrival = 0.0
        self.answered = 0.0
        self.is_lost = False
        self.unanswered: deque[Then] = deque()


class SimulatedChannel:
    """Does what `app.cache.channel.RedisChannel` does, over the simulated network."""

    def __init__(self, loop: SimulatedLoop, server: RedisServer) -> None:
        self._loop = loop
        self._timeline = loop.timeline
        self._server = server
        self._cut_until = 0.0
        self._freezing = 0.0
        self._connection: _Connection | None = _Connection(server.epoch)
        self.prefix = server.prefix
        server.add(self)

    def ask(self, command: Sequence[Any], then: Then) -> None:
        """Send a command."""
        name, *keys = command
        self._send(name, keys, (), then)

    def call(self, *command: Any) -> Future[Any]:
        """Send a command."""
        future = self._loop.create_future()
        self.ask(command, partial(_settle, future))
        return future

    def run_script(self, script: str, keys: Any, arguments: Any) -> Future[Any]:
        """Send a script."""
        future = self._loop.create_future()
        self._send(script, keys, arguments, partial(_settle, future))
        return future

    def _send(self, script: str, keys: Any, arguments: Any, then: Then) -> None:
        connection = self._connection
        if connection is None or self._loop.is_dead:
            then(RedisAway())
            return
        connection.unanswered.append(then)
        connection.arrival = max(connection.arrival, self._timeline.now + self._timeline.delay())
        self._timeline.at(connection.arrival, self._arrive, connection, script, keys, arguments)
        self.watch()

    def watch(self) -> None:
        """Give the connection up in time when the server stays silent."""
        left = self._server.stopped_until - self._timeline.now
        if left > TIMEOUT_SECONDS and self._connection and self._connection.unanswered:
            self._timeline.after(TIMEOUT_SECONDS, self._lose, self._connection)

    def freeze(self, seconds: float) -> None:
        """Stop the process when a command is carried out, before it hears the answer."""
        self._freezing = seconds

    def cut(self, seconds: float) -> None:
        """Lose the way to the server for some time."""
        self._cut_until = self._timeline.now + seconds
        self.lose()

    def lose(self) -> None:
        """Lose the connection, and get another one when that is possible."""
        if self._connection is not None:
            self._lose(self._connection)

    def _arrive(self, connection: _Connection, script: str, keys: Any, arguments: Any) -> None:
        server, timeline = self._server, self._timeline
        if connection.epoch != server.epoch:
            return
        if server.stopped_until > timeline.now:
            again = self._arrive, connection, script, keys, arguments
            timeline.at(server.stopped_until, *again)
            return
        if connection.is_lost:
            # What was sent before may be lost too, or be carried out now, or much later.
            chance = timeline.random.random()
            if chance < 0.4:
                return
            if chance < 0.6:
                again = self._arrive, connection, script, keys, arguments
                timeline.after(chance * LATEST_SECONDS, *again)
                return
        answer = server.execute(script, keys, arguments)
        if self._freezing and timeline.random.random() < 0.4:
            timeline.tell("the process that sent this is stopped for", self._freezing)
            self._loop.pause(self._freezing)
            self._freezing = 0.0
        if not connection.is_lost:
            connection.answered = max(connection.answered, timeline.now + timeline.delay())
            timeline.at(connection.answered, self._answer, connection, answer)

    def _answer(self, connection: _Connection, answer: Any) -> None:
        if not connection.is_lost:
            self._loop.call_soon(connection.unanswered.popleft(), answer)

    def _lose(self, connection: _Connection) -> None:
        if connection.is_lost:
            return
        connection.is_lost = True
        self._connection = None
        for then in connection.unanswered:
            self._loop.call_soon(then, RedisAway())
        self._connect()

    def _connect(self) -> None:
        if self._loop.is_dead:
            return
        server, timeline = self._server, self._timeline
        free = max(server.down_until, server.stopped_until, self._cut_until)
        if free > timeline.now or timeline.random.random() < 0.5:
            timeline.after(max(0.0, free - timeline.now) + timeline.delay(), self._connect)
            return
        self.prefix = server.prefix
        self._connection = _Connection(server.epoch)


def _settle(future: Future[Any], answer: Any) -> None:
    if future.done():
        return
    if isinstance(answer, RedisAway):
        future.set_exception(answer)
        future.exception()
    else:
        future.set_result(answer)
