"""Compares the whole stack with the founding article's, and with nginx in front of static files.

    python -m benchmarks.stack

nginx, two processes of the service, MongoDB, Redis and the load share all CPUs. Writes a page, a
plot and the raw figures. Takes about ten minutes as it stands.
"""

import argparse
import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from tqdm import tqdm

from benchmarks.cache_backends import Backends, running_backends
from benchmarks.cache_loads import HOT, LOADS, RANDOM, Load
from benchmarks.http_load import run_wrk
from benchmarks.http_machine import (
    ROOT,
    BenchmarkError,
    allow_connections,
    busy_seconds,
    describe_machine,
    describe_versions,
    find_program,
    peer_program,
    prepare_environment,
)
from benchmarks.stack_report import Report, write_report
from benchmarks.stack_results import Measurement
from benchmarks.stack_systems import ARTICLE, OURS, STATIC, running

_MODULE = "python -m benchmarks.stack"
_TODOS = 10_000
_PROCESSES = 2
_MIXED = next(load for load in LOADS if load.name == "mix-90-10")
_CLOSED = (HOT, RANDOM, _MIXED)
_OPEN = (HOT, _MIXED)
_OPEN_CONNECTIONS = 1000
_OPEN_GRACE_SECONDS = 30
_FIGURES = ("requests_per_second", "p50_milliseconds", "p99_milliseconds", "errors")
_PACKAGES = ("tornado", "uvloop", "motor", "pymongo", "redis", "supervisor")
_PEER_PACKAGES = ("flask", "werkzeug", "gunicorn", "gevent", "pymongo", "redis", "hiredis")


def main() -> None:
    """Measure both stacks, write and print what came of it."""
    parser = argparse.ArgumentParser(prog=_MODULE, description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--seconds", type=int, default=3, help="of each load (default 3)")
    parser.add_argument(
        "--connections", type=int, nargs="+", default=[100, 1000], help="default 100 1000"
    )
    parser.add_argument(
        "--rates",
        type=int,
        nargs="+",
        default=[500, 1000, 2000, 4000, 8000],
        help="of the open loop, in requests a second; default 500 1000 2000 4000 8000",
    )
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks")
    given = parser.parse_args()
    # SIGTERM must leave by the same door as Ctrl-C, so that the servers are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        _run(given)
    except BenchmarkError as error:
        sys.exit(f"benchmarks.stack: {error}")
    finally:
        for left in psutil.Process().children(recursive=True):
            left.kill()


def _run(given: argparse.Namespace) -> None:
    for program in ("nginx", "wrk", "openssl"):
        find_program(program)
    allow_connections(2 * max(_OPEN_CONNECTIONS, *given.connections))
    prepare_environment()
    machine = describe_machine()
    with (
        # The path of a Unix socket has 107 bytes at most (unix(7)).
        tempfile.TemporaryDirectory(prefix="stack-", dir="/tmp") as folder,
        running_backends(Path(folder) / "data") as backends,
    ):
        backends.seed(_TODOS)
        measurements = list(_measure_all(given, backends, Path(folder)))
        versions = describe_versions(_PACKAGES, _PEER_PACKAGES) | backends.versions()
    report = Report(
        command=shlex.join([*_MODULE.split(), *sys.argv[1:]]),
        rounds=given.rounds,
        seconds=given.seconds,
        processes=_PROCESSES,
        todos=_TODOS,
        machine=machine,
        versions=versions,
        loads={load.name: load.title for load in _CLOSED},
        measurements=measurements,
    )
    _write(given.output / "stack", report)


def _measure_all(
    given: argparse.Namespace, backends: Backends, folder: Path
) -> Iterator[Measurement]:
    plan = 2 * (len(_CLOSED) * len(given.connections) + len(_OPEN) * len(given.rates))
    plan += len(given.connections)
    with tqdm(total=given.rounds * plan, unit=" loads") as progress:
        for number in range(given.rounds):
            for name in (OURS, STATIC, ARTICLE) if number % 2 == 0 else (ARTICLE, STATIC, OURS):
                with running(name, _PROCESSES, backends, folder / f"{number}-{name}") as port:
                    bench = _Bench(name, number, port, given.seconds)
                    # Those that write come last, so that the others read what was seeded.
                    for load in _CLOSED if name != STATIC else (HOT,):
                        for connections in sorted(given.connections):
                            yield bench.closed(load, connections)
                            progress.update()
                    for load in _OPEN if name != STATIC else ():
                        for rate in sorted(given.rates):
                            yield bench.open(load, rate)
                            progress.update()


@dataclass(frozen=True)
class _Bench:
    """One turn of a stack."""

    system: str
    round: int
    port: int
    seconds: int

    def closed(self, load: Load, connections: int) -> Measurement:
        """Let so many clients ask again as soon as they have their answer."""
        cpus = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        command = load.command(cpu=cpus, connections=connections, port=self.port)
        warm_up = run_wrk(command, load.warm_up_seconds)
        before = _Clock.now()
        seen = run_wrk(command, self.seconds)
        rate = seen.requests_per_second - seen.errors.get("status", 0) / self.seconds
        return self._measurement(
            load,
            before,
            connections=connections,
            rate=None,
            requests_per_second=rate,
            p50_milliseconds=seen.p50_milliseconds,
            p99_milliseconds=seen.p99_milliseconds,
            errors=dict(Counter(warm_up.errors) + Counter(seen.errors)),
        )

    def open(self, load: Load, rate: int) -> Measurement:
        """Ask at a constant rate."""
        command = [sys.executable, "-m", "benchmarks.open_loop", f"--port={self.port}"]
        command += [f"--rate={rate}", f"--seconds={self.seconds}", f"--writes={load.writes}"]
        command += [f"--connections={_OPEN_CONNECTIONS}"]
        before = _Clock.now()
        finished = subprocess.run(  # noqa: S603 - ours.
            command,
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            timeout=self.seconds + _OPEN_GRACE_SECONDS,
        )
        if finished.returncode != 0:
            raise BenchmarkError(f"the open loop failed: {finished.stderr[-500:]}")
        seen = json.loads(finished.stdout)
        figures = {name: seen[name] for name in _FIGURES}
        return self._measurement(load, before, connections=_OPEN_CONNECTIONS, rate=rate, **figures)

    def _measurement(self, load: Load, before: "_Clock", **figures: Any) -> Measurement:
        busy, by_load = before.until_now()
        return Measurement(
            system=self.system,
            load=load.name,
            round=self.round,
            busy_cpus=busy,
            load_cpus=by_load,
            **figures,
        )


@dataclass(frozen=True)
class _Clock:
    """What the machine's CPUs, and the load on them, have computed."""

    elapsed: float
    busy: float
    load: float

    @classmethod
    def now(cls) -> "_Clock":
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cls(
            os.times().elapsed,
            busy_seconds(sorted(os.sched_getaffinity(0))),
            usage.ru_utime + usage.ru_stime,
        )

    def until_now(self) -> tuple[float, float]:
        """Return how many CPUs were busy since, and how many of them with the load."""
        now = _Clock.now()
        elapsed = now.elapsed - self.elapsed
        return (now.busy - self.busy) / elapsed, (now.load - self.load) / elapsed


def _write(stem: Path, report: Report) -> None:
    stem.parent.mkdir(parents=True, exist_ok=True)
    figures = stem.with_suffix(".json").resolve()
    summaries = [asdict(entry) for entry in report.summaries]
    text = json.dumps(asdict(report) | {"summaries": summaries}, indent=1)
    figures.write_text(f"{text}\n", encoding="utf-8")
    write_report(stem.with_suffix(".md"), report)
    chart = [peer_program("python"), "-m", "benchmarks.stack_chart", str(figures)]
    if subprocess.run(chart, cwd=ROOT, check=False).returncode != 0:  # noqa: S603 - ours.
        raise BenchmarkError(f"the plot failed; figures and page are in {stem.parent}")
    print(report.ratios_table)
    print(f"written to {stem.parent}")


if __name__ == "__main__":
    main()
