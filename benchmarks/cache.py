"""Compares the todo service with others that do the same: ``python -m benchmarks.cache``.

Writes a page, a plot and the raw figures. Takes about 12 minutes as it stands.
"""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import psutil
from tqdm import tqdm

from benchmarks.cache_backends import Backends, running_backends
from benchmarks.cache_load import Measurement, measure
from benchmarks.cache_loads import BIG_LOADS, LOADS, Load
from benchmarks.cache_report import Report, write_report
from benchmarks.cache_results import compare, summarise
from benchmarks.cache_servers import (
    NGINX,
    ONLY_HOT,
    TITLES,
    check_contract,
    check_page,
    contenders,
    wait_for_hits,
)
from benchmarks.http_machine import (
    ROOT,
    BenchmarkError,
    allow_connections,
    choose_cpus,
    describe_machine,
    describe_versions,
    find_program,
    peer_program,
    prepare_environment,
)
from benchmarks.http_report import Circumstances
from benchmarks.http_servers import Contender, Running, ask_twice, running
from benchmarks.peers.body import TARGET

_MODULE = "python -m benchmarks.cache"
_INTERRUPTED = 130
_TODOS = 10_000
_BIG_TODOS = 1_000_000
_OUR_PACKAGES = ("tornado", "uvloop", "motor", "pymongo", "redis", "hiredis")
_PEER_PACKAGES = (
    *("fastapi", "starlette", "falcon", "uvicorn", "httptools", "uvloop", "sanic"),
    *("flask", "werkzeug", "gunicorn", "gevent", "pymongo", "redis", "hiredis"),
)


def main() -> None:
    """Measure, write and print what was asked for; say in one sentence what is missing."""
    given = _arguments()
    # SIGTERM must leave by the same door as Ctrl-C, so that the servers are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        _run(given)
    except BenchmarkError as error:
        sys.exit(f"benchmarks.cache: {error}")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    finally:
        # A signal between the start of a process and the note of it leaves it to nobody else.
        for left in psutil.Process().children(recursive=True):
            left.kill()


def _arguments() -> argparse.Namespace:
    names = list(TITLES)
    loads = list(dict.fromkeys(load.name for load in (*LOADS, *BIG_LOADS)))
    parser = argparse.ArgumentParser(prog=_MODULE, description=__doc__)
    parser.add_argument("--rounds", type=_positive, default=3, help="default 3")
    parser.add_argument(
        "--seconds", type=_positive, default=3, help="of each measurement (default 3)"
    )
    parser.add_argument(
        "--connections", type=_positive, nargs="+", default=[100, 1000], help="default 100 1000"
    )
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names)
    )
    parser.add_argument(
        "--loads", nargs="+", choices=loads, default=loads, metavar="LOAD", help=", ".join(loads)
    )
    parser.add_argument(
        "--big",
        action="store_true",
        help=f"reads of {_BIG_TODOS:,} todos in place of {_TODOS:,}, into cache-big.*",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "docs" / "benchmarks",
        help="folder for cache.md, cache.png, cache.svg and cache.json (default docs/benchmarks)",
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _run(given: argparse.Namespace) -> None:
    for program in ("nginx", "wrk", "taskset"):
        find_program(program)
    cpus = choose_cpus()
    allow_connections(2 * max(given.connections))
    prepare_environment()
    machine = describe_machine()
    # MongoDB and Redis inherit this; the systems and wrk are told where to run.
    os.sched_setaffinity(0, {cpus[1]})
    todos = _BIG_TODOS if given.big else _TODOS
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        running_backends(Path(folder) / "data") as backends,
    ):
        backends.seed(todos)
        bench = _Bench(given, cpus, Path(folder), backends)
        bench.check_all()
        measurements = bench.measure_all()
        versions = describe_versions(_OUR_PACKAGES, _PEER_PACKAGES) | backends.versions()
    circumstances = Circumstances(
        command=shlex.join([*_MODULE.split(), *sys.argv[1:]]),
        rounds=given.rounds,
        seconds=given.seconds,
        server_cpu=cpus[0],
        load_cpu=cpus[1],
        machine=machine,
        versions=versions,
    )
    report = Report(circumstances, todos, given.big, bench.loads, measurements)
    _write(given.output / ("cache-big" if given.big else "cache"), report)


@dataclass(frozen=True)
class _Bench:
    """What a run measures, and where."""

    given: argparse.Namespace
    cpus: tuple[int, int]
    folder: Path
    backends: Backends

    @property
    def loads(self) -> Sequence[Load]:
        """The loads that are asked for."""
        loads = BIG_LOADS if self.given.big else LOADS
        return [load for load in loads if load.name in self.given.loads]

    def check_all(self) -> None:
        """Start every system once, so that a broken one is found now and not in minutes."""
        for contender in tqdm(self._contenders, desc="checking answers", unit=" systems"):
            with self._running(contender, f"check-{contender.name}") as server:
                check_contract(contender, server, self.backends)

    def measure_all(self) -> list[Measurement]:
        """Measure every system once in each round, one after the other."""
        everybody = self._contenders
        rounds = range(self.given.rounds)
        total = sum(len(self._plan(contender, 0)) for contender in everybody) * len(rounds)
        measurements: list[Measurement] = []
        with tqdm(total=total, unit=" measurements") as progress:
            for number in rounds:
                # Another one begins each round, so that no system always follows the same one.
                start = number * len(everybody) // len(rounds)
                for contender in [*everybody[start:], *everybody[:start]]:
                    for measurement in self._measure(contender, number):
                        measurements.append(measurement)
                        progress.update()
        return measurements

    @cached_property
    def _contenders(self) -> list[Contender]:
        page = self._our_page() if NGINX in self.given.only else b""
        everybody = contenders(self.backends, page)
        return [
            entry for entry in everybody if entry.name in self.given.only and self._plan(entry, 0)
        ]

    def _our_page(self) -> bytes:
        """Return the bytes that our service gives."""
        ours = contenders(self.backends, b"")[0]
        with self._running(ours, "page") as server:
            return ask_twice(server.port, TARGET)[0][0]

    def _plan(self, contender: Contender, number: int) -> list[tuple[Load, int]]:
        """Return what a system is asked for in a round, and by how many connections."""
        connections = sorted(self.given.connections, reverse=number % 2 == 1)
        return [
            (load, count)
            for load in self.loads
            for count in connections
            if (contender.name not in ONLY_HOT or load.name == "hot")
            and (load.at_most_connections_too or count == min(connections))
        ]

    def _measure(self, contender: Contender, number: int) -> Iterator[Measurement]:
        # It is started for its turn and stopped after it: idle servers wake up now and then,
        # which would be at the cost of the one that is measured.
        with self._running(contender, f"{number}-{contender.name}") as server:
            for load, connections in self._plan(contender, number):
                yield measure(
                    contender,
                    server,
                    load,
                    backends=self.backends,
                    round_number=number,
                    connections=connections,
                    seconds=self.given.seconds,
                    cpus=self.cpus,
                )

    @contextmanager
    def _running(self, contender: Contender, name: str) -> Iterator[Running]:
        self.backends.restore()
        with running(contender, self.cpus[0], self.folder / name, check_page) as server:
            if contender.kind == "ours":
                wait_for_hits(server.port)
            yield server


def _write(stem: Path, report: Report) -> None:
    comparisons = compare(report.measurements)
    stem.parent.mkdir(parents=True, exist_ok=True)
    raw = {
        **asdict(report.circumstances),
        "todos": report.todos,
        "loads": {load.name: load.title for load in report.loads},
        "summaries": [asdict(entry) for entry in summarise(report.measurements)],
        "comparisons": [asdict(entry) | {"verdict": entry.verdict} for entry in comparisons],
        "measurements": [asdict(entry) for entry in report.measurements],
    }
    text = json.dumps(raw, indent=1)
    figures = stem.with_suffix(".json").resolve()
    figures.write_text(f"{text}\n", encoding="utf-8")
    write_report(stem.with_suffix(".md"), report)
    chart = [peer_program("python"), "-m", "benchmarks.cache_chart", str(figures)]
    if subprocess.run(chart, cwd=ROOT, check=False).returncode != 0:  # noqa: S603 - ours.
        raise BenchmarkError(f"the plot failed; figures and page are in {stem.parent}")
    print(report.disturbance)
    print(report.bars)
    print(f"written to {stem.parent}")


if __name__ == "__main__":
    main()
