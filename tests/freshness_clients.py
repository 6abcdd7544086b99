"""A process of clients that record everything they ask and are told.

    python tests/freshness_clients.py '{"client": 0, ...}'

Prints a line of `Progress`, as JSON, every half second. At the first line on its standard input, or
its end, the clients stop, everything is read once more through every process, and the operations
are written to a file.
"""

import asyncio
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, cast

for folder in (Path(__file__).parents[1], Path(__file__).parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import msgspec  # noqa: E402
import uvloop  # noqa: E402
from freshness_history import Operation, Outcome, Page, write_history  # noqa: E402
from freshness_plan import Ask, Plan  # noqa: E402
from msgspec import Struct, field  # noqa: E402

_PROGRESS_SECONDS = 0.5
_RECONNECT_SECONDS = 0.05
_CLOSES = b"\r\nconnection: close"
_ANSWER_SECONDS = 25.0
"""Longer than any pause; only an answer that never comes is given up."""


class Orders(Struct, frozen=True, kw_only=True):
    """What a process of clients is to do."""

    client: int
    clients: int
    ports: tuple[int, ...]
    connections: int
    """To each of the ports."""
    readers: int
    """How many of these never write."""
    seed: int
    live_todos: int
    write_share: float
    history: str
    keeps_connections: bool = True
    """False: each request has a connection of its own."""


class Progress(Struct):
    """How far a process of clients is."""

    operations: int = 0
    """That got an answer which says something about a todo."""
    writes: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    longest: float = 0.0
    """Seconds that an operation took, whatever its outcome."""


class _Recorder:
    """Takes down the operations of all connections."""

    def __init__(self, client: int, plan: Plan) -> None:
        self._client = client
        self._plan = plan
        self.operations: list[Operation] = []
        self._errors: Counter[str] = Counter()
        self._progress = Progress()

    @property
    def progress(self) -> Progress:
        return msgspec.structs.replace(self._progress, errors=dict(self._errors))

    def answer(
        self, ask: Ask, process: int, start: int, end: int, head: bytes, body: bytes
    ) -> None:
        status = int(head[9:12])
        outcome, page = self._plan.understand(ask, status, head, body)
        if outcome in ("done", "absent"):
            self._record(ask, process, start, end, outcome, page, ask.target)
            self._progress.operations += 1
            self._progress.writes += self.operations[-1].is_write
        else:
            self._fail(ask, process, start, end, outcome, str(status))

    def loss(self, ask: Ask, process: int, start: int, end: int, why: str) -> None:
        self._plan.give_up(ask)
        self._fail(ask, process, start, end, "unknown", why)

    def _fail(
        self, ask: Ask, process: int, start: int, end: int, outcome: Outcome, why: str
    ) -> None:
        self._record(ask, process, start, end, outcome, None, f"{why}: {ask.target}")
        kind = "write" if self.operations[-1].is_write else "read"
        self._errors[f"{why}, {kind}"] += 1

    def _record(
        self,
        ask: Ask,
        process: int,
        start: int,
        end: int,
        outcome: Outcome,
        page: Page | None,
        remark: str,
    ) -> None:
        operation = Operation(
            client=self._client,
            process=process,
            start=start,
            end=end,
            action=ask.action,
            outcome=outcome,
            todo=ask.todo,
            number=ask.number,
            page=page,
            remark=remark,
        )
        self.operations.append(operation)
        self._progress.longest = max(self._progress.longest, (end - start) / 1e9)


class _Connection(asyncio.Protocol):
    """One request after the other to one process, until there are no more."""

    def __init__(
        self,
        process: int,
        port: int,
        next_ask: Callable[[], Ask | None],
        recorder: _Recorder,
        *,
        keeps: bool = True,
    ) -> None:
        self._keeps = keeps
        self._process = process
        self._port = port
        self._next_ask = next_ask
        self._recorder = recorder
        self._ask: Ask | None = None
        self._start = 0
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._why_lost = "lost"
        self._lost = asyncio.Event()
        self._is_finished = False

    async def run(self) -> None:
        """Return when there is nothing more to ask."""
        loop = asyncio.get_running_loop()
        while not self._is_finished:
            self._lost.clear()
            with suppress(OSError):
                await loop.create_connection(lambda: self, "127.0.0.1", self._port)
                await self._lost.wait()
            if self._transport is None and not self._is_finished and self._keeps:
                await asyncio.sleep(_RECONNECT_SECONDS)

    def look_at_time(self, now: int) -> None:
        """Give up an answer that does not come."""
        late = self._ask is not None and now - self._start > _ANSWER_SECONDS * 1e9
        if late and self._transport is not None:
            self._why_lost = "late"
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._received, self._why_lost = b"", "lost"
        self._go_on()

    def data_received(self, data: bytes) -> None:
        end = time.monotonic_ns()
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found or self._ask is None:
            return
        _, _, length = head.partition(b"\r\nContent-Length: ")
        wanted = 0 if head[9:12] == b"304" else int(length.partition(b"\r\n")[0] or 0)
        if len(rest) < wanted:
            return
        assert len(rest) == wanted, "an answer that nobody asked for"
        self._received = b""
        ask, self._ask = self._ask, None
        self._recorder.answer(ask, self._process, self._start, end, head, rest)
        if self._keeps and _CLOSES not in head.lower():
            self._go_on()
        elif self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._ask is not None:
            ask, self._ask = self._ask, None
            end = time.monotonic_ns()
            self._recorder.loss(ask, self._process, self._start, end, self._why_lost)
        self._lost.set()

    def _go_on(self) -> None:
        assert self._transport is not None
        ask = self._next_ask()
        if ask is None:
            self._is_finished = True
            self._transport.close()
            return
        self._ask = ask
        self._start = time.monotonic_ns()
        self._transport.write(ask.message if self._keeps else _closing(ask.message))


def _closing(message: bytes) -> bytes:
    line, _, rest = message.partition(b"\r\n")
    return line + b"\r\nConnection: close\r\n" + rest


class _Clients:
    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._plan = Plan(
            orders.client,
            clients=orders.clients,
            random=Random(orders.seed * 1000 + orders.client),
            live_todos=orders.live_todos,
            write_share=orders.write_share,
        )
        self._recorder = _Recorder(orders.client, self._plan)
        self._must_stop = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_give_up)
        loop.add_reader(sys.stdin.fileno(), self._hear)
        connections = [
            _Connection(
                process,
                port,
                self._next_read if number < self._orders.readers else self._next,
                self._recorder,
                keeps=self._orders.keeps_connections,
            )
            for process, port in enumerate(self._orders.ports)
            for number in range(self._orders.connections)
        ]
        watch = asyncio.create_task(self._watch(connections))
        running = [asyncio.create_task(connection.run()) for connection in connections]
        await self._must_stop.wait()
        await asyncio.gather(*running)
        await asyncio.gather(*(self._sweep(*at) for at in enumerate(self._orders.ports)))
        watch.cancel()
        self._tell()
        write_history(Path(self._orders.history), self._recorder.operations)

    def _hear(self) -> None:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        self._must_stop.set()

    def _next(self) -> Ask | None:
        return None if self._must_stop.is_set() else self._plan.next()

    def _next_read(self) -> Ask | None:
        return None if self._must_stop.is_set() else self._plan.read()

    async def _sweep(self, process: int, port: int) -> None:
        asks = iter(list(self._plan.sweep()))
        await _Connection(process, port, lambda: next(asks, None), self._recorder).run()

    async def _watch(self, connections: list[_Connection]) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            now = time.monotonic_ns()
            for connection in connections:
                connection.look_at_time(now)
            self._tell()

    def _tell(self) -> None:
        print(msgspec.json.encode(self._recorder.progress).decode(), flush=True)


def _give_up(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """End the process: a client that fails would otherwise only be silent."""
    loop.default_exception_handler(context)
    os._exit(1)


def main() -> None:
    """Do as the first argument orders."""
    orders = msgspec.json.decode(sys.argv[1], type=Orders)
    gc.disable()  # All that is made is kept, and nothing of it is a cycle.
    uvloop.run(_Clients(orders).run())


if __name__ == "__main__":
    main()
