"""Repeats the founding article's steps on this service: ``python -m benchmarks.cache_ladder``.

Writes a page, a plot and the raw figures. Takes about a minute.
"""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from string import Template

import psutil

from benchmarks.cache_backends import Backends, running_backends
from benchmarks.cache_servers import check_page, uncached, wait_for_hits, with_cache
from benchmarks.http_load import WARM_UP_SECONDS, Load, run_wrk
from benchmarks.http_machine import (
    ROOT,
    BenchmarkError,
    allow_connections,
    describe_machine,
    find_program,
    peer_program,
    prepare_environment,
)
from benchmarks.http_servers import Running, running
from benchmarks.peers.body import TARGET

_MODULE = "python -m benchmarks.cache_ladder"
_TODOS = 10_000
_CONNECTIONS = 50
"""Few enough for the first step to answer all within the 2 s after which wrk counts an error."""

_PAGE = Template("""\
# The founding article's ladder

Written by `$command` on $date; the article's figures are its own, from its machine.

`GET /todo` of $todos todos with $connections connections. Service, MongoDB, Redis and wrk share \
all CPUs here, as on the article's machine: these
figures are not comparable with those of [cache.md](cache.md). Medians of $rounds rounds of \
$seconds s, after 1 s of warm-up. What counts is where
the steps are high: machine, language version and data differ from the article's.

![Requests per second after each step](cache-ladder.png)

| Step | Article, requests/s | Ours, requests/s | Spread | p99, ms | Errors |
| --- | ---: | ---: | ---: | ---: | --- |
$rows

- Without an index: the service's indexes are dropped while it runs. Without a cache: \
`benchmarks/cache_variant.py` has each request read MongoDB.
- The article came to 863 with several processes and to 1,128 with another kind of worker in \
them; our service is asynchronous from the first step on.
- Several processes: $processes, one for each CPU, and as many wrk, each with its part of the \
connections.
- The article's cache holds the first page for an hour, whatever is written; ours is strict.

Taken with $machine.
""")


@dataclass(frozen=True)
class Step:
    """A step of the article: what it did, and what came of it."""

    title: str
    article: tuple[int, ...]
    """Requests per second."""

    processes: int
    has_index: bool = True
    has_cache: bool = False


@dataclass(frozen=True)
class Result:
    """What came of a step here."""

    title: str
    article: tuple[int, ...]
    rates: list[float]
    """Of all processes together, round by round."""

    p99_milliseconds: float
    errors: int

    @property
    def middle(self) -> float:
        """The median of all rounds."""
        return median(self.rates)


def main() -> None:
    """Take every step, write and print what came of it."""
    parser = argparse.ArgumentParser(prog=_MODULE, description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--seconds", type=int, default=3, help="of each round (default 3)")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks")
    given = parser.parse_args()
    # SIGTERM must leave by the same door as Ctrl-C, so that the servers are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        _run(given)
    except BenchmarkError as error:
        sys.exit(f"benchmarks.cache_ladder: {error}")
    finally:
        for left in psutil.Process().children(recursive=True):
            left.kill()


def _run(given: argparse.Namespace) -> None:
    prepare_environment()
    allow_connections(_CONNECTIONS)
    cpus = len(os.sched_getaffinity(0))
    steps = (
        Step("no index", (43,), processes=1, has_index=False),
        Step("an index", (298,), processes=1),
        Step("several processes", (863, 1128), processes=cpus),
        Step("a cache", (2992,), processes=cpus, has_cache=True),
    )
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        running_backends(Path(folder) / "data") as backends,
    ):
        backends.seed(_TODOS)
        results = [_take(step, given, backends, Path(folder)) for step in steps]
    _write(given, results, cpus)


def _take(step: Step, given: argparse.Namespace, backends: Backends, folder: Path) -> Result:
    with _serving(step, backends, folder / step.title) as servers:
        _load(servers, WARM_UP_SECONDS)
        rounds = [_load(servers, given.seconds) for _ in range(given.rounds)]
    result = Result(
        title=step.title,
        article=step.article,
        rates=[sum(load.requests_per_second for load in loads) for loads in rounds],
        p99_milliseconds=median(max(load.p99_milliseconds for load in loads) for loads in rounds),
        errors=sum(sum(load.errors.values()) for loads in rounds for load in loads),
    )
    print(f"{step.title}: {result.middle:,.0f} requests/s")
    return result


@contextmanager
def _serving(step: Step, backends: Backends, folder: Path) -> Iterator[list[Running]]:
    folder.mkdir()
    contender = with_cache(backends) if step.has_cache else uncached(backends)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(running(contender, cpu, folder / str(cpu), check_page))
            for cpu in sorted(os.sched_getaffinity(0))[: step.processes]
        ]
        if not step.has_index:
            backends.todos.drop_indexes()
        if step.has_cache:
            for server in servers:
                wait_for_hits(server.port)
        yield servers


def _load(servers: list[Running], seconds: int) -> list[Load]:
    """Ask all processes at once."""
    wrk = [find_program("wrk"), "-t1", "--latency", f"-c{_CONNECTIONS // len(servers)}"]
    commands = [[*wrk, f"http://127.0.0.1:{server.port}{TARGET}"] for server in servers]
    with ThreadPoolExecutor(len(servers)) as pool:
        return list(pool.map(lambda command: run_wrk(command, seconds), commands))


def _write(given: argparse.Namespace, results: list[Result], processes: int) -> None:
    machine = describe_machine()
    raw = {
        "machine": machine,
        "rounds": given.rounds,
        "seconds": given.seconds,
        "results": [asdict(entry) | {"middle": entry.middle} for entry in results],
    }
    stem = given.output.resolve() / "cache-ladder"
    stem.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(raw, indent=1)
    stem.with_suffix(".json").write_text(f"{text}\n", encoding="utf-8")
    page = _PAGE.substitute(
        command=shlex.join([*_MODULE.split(), *sys.argv[1:]]),
        date=machine["date"],
        todos=f"{_TODOS:,}",
        connections=_CONNECTIONS,
        rounds=given.rounds,
        seconds=given.seconds,
        rows="\n".join(map(_row, results)),
        processes=processes,
        machine=", ".join(machine.values()),
    )
    stem.with_suffix(".md").write_text(page, encoding="utf-8")
    chart = [peer_program("python"), "-m", "benchmarks.cache_ladder_chart"]
    command = [*chart, str(stem.with_suffix(".json"))]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:  # noqa: S603 - ours.
        raise BenchmarkError(f"the plot failed; figures and page are in {stem.parent}")
    print(f"written to {stem.parent}")


def _row(result: Result) -> str:
    article = ", then ".join(f"{rate:,}" for rate in result.article)
    return (
        f"| {result.title} | {article} | {result.middle:,.0f} | "
        f"{min(result.rates):,.0f}-{max(result.rates):,.0f} | "
        f"{result.p99_milliseconds:.1f} | {result.errors or 'none'} |"
    )


if __name__ == "__main__":
    main()
