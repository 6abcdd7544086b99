"""One run: a stack, clients, perhaps a nemesis; and what the checker says of it."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from threading import Thread
from typing import Protocol, cast

import msgspec
from freshness_checker import check
from freshness_clients import Orders, Progress
from freshness_faults import Fault, Nemesis, Troubles
from freshness_history import MONGODB, Operation, Page, Seen, read_history
from freshness_order import check_order
from freshness_stack import Stack
from freshness_verdict import Verdict
from pymongo import MongoClient
from service import ROOT

_CLIENT_SECONDS = 120.0
"""For the last sweep and for writing the history."""

_POLL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """What is to be done.

    Attributes:
        operations: to check, at least.
        faults: to do, at least.
        seconds: to go on for, at least.
        clients: processes of clients.
        connections: of each of them to each process of the service.
        live_todos: at a time; below 100, so that one page can show all.
        write_share: part of the requests that are to change something.
        longest_pause_seconds: of a process that is paused.
        seed: of all that is drawn.
        keeps_connections: clients keep theirs.
        readers: of these connections that never write.
        deletes_are_repeated: in a fault, by a proxy between the clients and the service.
        clock_jump_seconds: by how much the processes' clocks may differ.
    """

    operations: int = 0
    faults: int = 0
    seconds: float = 0.0
    clients: int = 2
    connections: int = 4
    live_todos: int = 60
    write_share: float = 0.1
    longest_pause_seconds: float = 10.0
    seed: int = 1
    keeps_connections: bool = True
    readers: int = 0
    deletes_are_repeated: bool = False
    clock_jump_seconds: float = 0.0


class Target(Protocol):
    """What clients are run against."""

    @property
    def ports(self) -> Sequence[int]:
        """Where it is asked."""
        ...

    @property
    def mongo_uri(self) -> str:
        """The database."""
        ...

    @property
    def folder(self) -> Path:
        """Where histories are kept."""
        ...


@dataclass
class Report:
    """What became of it."""

    progress: Progress
    seconds: float
    faults: list[Fault]
    verdict: Verdict
    operations: list[Operation]
    checking_seconds: float
    answers: Counter[str] = field(default_factory=Counter)
    """Checked operations by kind."""

    @property
    def is_right(self) -> bool:
        """Tell whether everything was as promised."""
        return not self.verdict.counts and not self.verdict.lost


class _ClientProcess:
    """Clients in a process of their own; see `freshness_clients`."""

    def __init__(self, orders: Orders) -> None:
        self.progress = Progress()
        self.history = Path(orders.history)
        self._process = subprocess.Popen(
            [sys.executable, "tests/freshness_clients.py", msgspec.json.encode(orders).decode()],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._listener = Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self.progress = msgspec.json.decode(line, type=Progress)

    def look(self) -> None:
        """Raise if it has ended by itself."""
        assert self._process.poll() is None, "a process of clients has failed"

    def finish(self) -> None:
        """Let it stop, read everything once more and write its history."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(_CLIENT_SECONDS) == 0, "a process of clients has failed"

    def end(self) -> None:
        """End it in any case."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._listener.join()


def run_campaign(
    campaign: Campaign,
    target: Target,
    *,
    troubles: Troubles | None = None,
    on_progress: Callable[[float, Progress, int], None] = lambda *_: None,
) -> Report:
    """Run clients against a target, with faults if there shall be some, and check what they saw.

    Args:
        campaign: what is to be done.
        target: it is done to.
        troubles: what does the faults; a `Nemesis` for a `Stack` if there shall be some.
        on_progress: told the seconds, the progress and the number of faults, again and again.
    """
    started = time.monotonic()
    with ExitStack() as held:
        clients = [_ClientProcess(orders) for orders in _orders(campaign, target)]
        for client in clients:
            held.callback(client.end)
        nemesis = troubles or _nemesis(campaign, target)
        if campaign.faults:
            nemesis.start()
            held.callback(nemesis.stop)
        while True:
            time.sleep(_POLL_SECONDS)
            seconds = time.monotonic() - started
            progress = _sum([client.progress for client in clients])
            on_progress(seconds, progress, len(nemesis.faults))
            for watched in (*clients, nemesis):
                watched.look()
            if (
                seconds >= campaign.seconds
                and progress.operations >= campaign.operations
                and len(nemesis.faults) >= campaign.faults
            ):
                break
        if campaign.faults:
            nemesis.stop()
        for client in clients:
            client.finish()
        progress = _sum([client.progress for client in clients])
    seconds = time.monotonic() - started
    operations = [operation for client in clients for operation in read_history(client.history)]
    operations.append(_ask_mongodb(target.mongo_uri))
    checking = time.monotonic()
    faults = nemesis.faults if campaign.deletes_are_repeated else []
    verdict = check(operations, may_be_repeated=partial(_is_within_one, faults))
    check_order(operations, verdict, clock_jump_seconds=campaign.clock_jump_seconds)
    checking = time.monotonic() - checking
    report = Report(progress, seconds, nemesis.faults, verdict, operations, checking)
    for operation in operations:
        if operation.outcome in ("done", "absent"):
            report.answers[f"{operation.action}, {operation.outcome}"] += 1
    return report


def _is_within_one(faults: Sequence[Fault], operation: Operation) -> bool:
    return any(fault.start < operation.end and operation.start < fault.end for fault in faults)


def _orders(campaign: Campaign, target: Target) -> list[Orders]:
    return [
        Orders(
            client=client,
            clients=campaign.clients,
            ports=tuple(target.ports),
            connections=campaign.connections,
            readers=campaign.readers,
            seed=campaign.seed,
            live_todos=campaign.live_todos,
            write_share=campaign.write_share,
            history=str(target.folder / f"history-{client}.jsonl"),
            keeps_connections=campaign.keeps_connections,
        )
        for client in range(campaign.clients)
    ]


def _nemesis(campaign: Campaign, target: Target) -> Nemesis:
    assert isinstance(target, Stack) or not campaign.faults, "who shall do the faults?"
    pause = campaign.longest_pause_seconds
    return Nemesis(cast("Stack", target), Random(campaign.seed), longest_pause_seconds=pause)


def _sum(parts: Sequence[Progress]) -> Progress:
    errors: Counter[str] = Counter()
    total = Progress()
    for part in parts:
        total.operations += part.operations
        total.writes += part.writes
        total.longest = max(total.longest, part.longest)
        errors.update(part.errors)
    total.errors = dict(errors)
    return total


def _ask_mongodb(uri: str) -> Operation:
    """Return what MongoDB itself holds, as an operation."""
    start = time.monotonic_ns()
    with MongoClient(uri) as client:
        todos = list(client.get_default_database()["todos"].find())
    items = []
    for todo in todos:
        name, _, number = todo["content"].partition(" ")
        created = round(todo["created_at"] * 1_000_000)
        state = (int(number), todo["is_finished"], created, str(todo["_id"]))
        items.append(Seen(name, todo["rev"], *state))
    return Operation(
        client=0,
        process=MONGODB,
        start=start,
        end=time.monotonic_ns(),
        action="list",
        outcome="done",
        page=Page(tuple(items), (None, None)),
        remark="MongoDB itself",
    )
