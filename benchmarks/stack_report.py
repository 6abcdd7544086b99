"""Writes what ``benchmarks.stack`` measured as a page for people."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from string import Template

from benchmarks.open_loop import TIMEOUT_SECONDS
from benchmarks.stack_results import Measurement, Summary, ratios, summarise
from benchmarks.stack_systems import ARTICLE, OURS, STATIC, TITLES

_PAGE = Template("""\
# The whole stack compared

Written by `$command` on $date; nothing here is typed by hand.

Both stacks as operators run them, on one machine: supervisord, nginx and $processes processes of \
the service, with MongoDB (a replica set of one) and Redis.
Ours is what `run.py up` starts. The founding article's last stack, Flask on gunicorn with gevent \
workers, has the same supervisord and the same nginx
configuration. The yardstick has them too, in front of $processes nginx that serve the first \
page from a file: what ours lacks beside it is what the service itself costs.
The load has no CPU of its own. $todos todos; rounds: $rounds of $seconds s for \
each load, in another order each time.

![Requests per second, and latency at a constant rate](stack.png)

## As fast as it goes

A closed loop (wrk): each connection asks again when it has its answer.

$ratios

$closed

## At a constant rate

An open loop (`benchmarks/open_loop.py`): requests are due at a constant rate, over 1,000 \
connections, whatever becomes of those before. A latency is
from when a request was due; who is not answered within $timeout s has waited that long, and \
counts as an error. A closed loop never shows this: clients that wait do not ask.

$open

## How to read this

- Requests/s are those answered with 2xx (and, in the open loop, in time). Medians of the rounds; \
the spread is slowest to fastest. Errors are counted over all rounds.
- "CPUs" is how many were busy, all in all, and how many of them with the load alone: what the \
load takes, the stack does not have. The open loop's is in Python.
- Ours logs each request, as it does by default, and so does the nginx behind nginx; gunicorn \
logs none. The nginx in front logs each request of all.
- The services alone, one process on a core of its own and without nginx, are compared in \
[cache.md](cache.md): there the first page differs by more than here, since nginx takes more of \
the machine than the service behind it does.

## Taken with

$machine
""")


@dataclass(frozen=True)
class Report:
    """A run of the benchmark: circumstances and results."""

    command: str
    rounds: int
    seconds: int
    processes: int
    todos: int
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    loads: Mapping[str, str]
    measurements: Sequence[Measurement]

    @property
    def summaries(self) -> Sequence[Summary]:
        """The medians of the rounds."""
        return summarise(self.measurements)

    @property
    def ratios_table(self) -> str:
        """Our throughput to that of the others."""
        rows = [
            f"| {TITLES[other]} | {self.loads[ratio.load]} | {ratio.connections:,} | "
            f"{median(ratio.values):.2f} | {min(ratio.values):.2f}-{max(ratio.values):.2f} |"
            for other in (STATIC, ARTICLE)
            for ratio in ratios(self.measurements, OURS, other)
        ]
        return "\n".join(
            (
                "| Ours / | Load | Connections | Median | Spread |",
                "| --- | --- | ---: | ---: | ---: |",
                *rows,
            )
        )


def write_report(path: Path, report: Report) -> None:
    """Write the page; the plot is expected beside it."""
    closed = [entry for entry in report.summaries if entry.rate is None]
    opened = [entry for entry in report.summaries if entry.rate is not None]
    taken = {**report.machine, **report.versions}
    page = _PAGE.substitute(
        command=report.command,
        date=report.machine["date"],
        processes=report.processes,
        todos=f"{report.todos:,}",
        rounds=report.rounds,
        seconds=report.seconds,
        timeout=f"{TIMEOUT_SECONDS:g}",
        ratios=report.ratios_table,
        closed=_table(report, "Connections", closed),
        open=_table(report, "Due in a second", opened),
        machine="\n".join(f"- {name}: {value}" for name, value in taken.items()),
    )
    path.write_text(page, encoding="utf-8")


def _table(report: Report, number: str, rows: Iterable[Summary]) -> str:
    lines = [
        f"| Load | {number} | Stack | Requests/s | Spread | p50, ms | p99, ms | CPUs | Errors |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    order = list(report.loads)

    stacks = list(TITLES)

    def place(row: Summary) -> tuple[int, int, int]:
        return order.index(row.load), row.rate or row.connections, stacks.index(row.system)

    for row in sorted(rows, key=place):
        title = f"**{TITLES[row.system]}**" if row.system == OURS else TITLES[row.system]
        errors = ", ".join(f"{count:,} {name}" for name, count in sorted(row.errors.items()))
        lines.append(
            f"| {report.loads[row.load]} | {row.rate or row.connections:,} | {title} | "
            f"{row.requests_per_second:,.0f} | {row.slowest:,.0f}-{row.fastest:,.0f} | "
            f"{row.p50_milliseconds:,.1f} | {row.p99_milliseconds:,.1f} | "
            f"{row.busy_cpus:.1f}, {row.load_cpus:.1f} | {errors or 'none'} |"
        )
    return "\n".join(lines)
