"""Writes what a measurement of servers says as a page for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from string import Template

from benchmarks.http_load import Measurement
from benchmarks.http_results import Comparison, Summary, compare, summarise
from benchmarks.peers.body import BODY, TARGET

_PAGE = Template("""\
# HTTP servers compared

Written by `$command` on $date; nothing here is typed by hand.

One server at a time on CPU $server_cpu, wrk (`-t1`) on CPU $load_cpu, `GET $target` on loopback, \
keep-alive, no pipelining; every server answers
200 with the same $body_bytes bytes of JSON, held ready as bytes. Rounds: $rounds of \
$seconds s each, after 1 s of warm-up; in each round every server is
measured once at each number of connections, in another order than in the round before.

![Requests per second](http.png)

$disturbance

## Bars

Ratios are taken within a round, where both servers met the same machine; the table has their \
median and their spread, and in how many rounds a bar was met.

**Our server remembers heads it has read**, and wrk sends the same short head (Host alone) again \
and again: the row "ready answers" shows what
that gives at best. In the rows "every head different" each request has another `X-Request-Id`, \
so that nothing is remembered: clients whose
requests differ each time (tracing, cookies that change) are served like that. nginx, under the \
same load, stands beside it; the Python peers
were measured with the short head alone.

$bars

## Figures

Medians of the rounds; the spread is slowest to fastest. Latencies are those of a closed loop: \
each connection asks again when it has its
answer, so at full load they say how long the queue is. "CPU" is what the server used of its core \
and, after the slash, wrk of its own: where
wrk nears 100 %, the server could have done more. Errors are counted over all rounds and \
warm-ups.

$tables

## How to read this

- The servers differ in what they put around the body: the column "head" says how many bytes.
- The script that makes every head different costs wrk time too: see its CPU.
- **Nobody writes an access log here**, nginx included: our server leaves it to the application, \
as Tornado does. [cache.md](cache.md) has the whole service with its log.
- The peers run with one worker, uvloop and their C parser where they have one, \
and handlers that give ready bytes: this
  compares how requests are read and answers written, not frameworks at work on JSON.
- A timeout is an answer after more than 2 s. wrk does not count a connection that never gets one, \
so each server is asked again after its load.
- A p99 far above p50 at a full core means that a server answers some connections again and \
again before it turns to the others.

## Taken with

$machine
""")

_QUIET = 0.05
"""Part of a CPU that others may take: a clock tick is 1/100 s, and a system has its own work."""

_DISTURBED_PART = 0.1
"""Of the measurements; medians bear as much."""


@dataclass(frozen=True)
class Circumstances:
    """How and where the measurement was taken."""

    command: str
    rounds: int
    seconds: int
    server_cpu: int
    load_cpu: int
    machine: Mapping[str, str]
    versions: Mapping[str, str]


def write_report(
    path: Path,
    circumstances: Circumstances,
    measurements: Sequence[Measurement],
) -> None:
    """Write the page; the plot is expected beside it."""
    summaries = summarise(measurements)
    numbers = sorted({summary.connections for summary in summaries})
    tables = [
        f"### {connections:,} connections\n\n"
        + _figures([entry for entry in summaries if entry.connections == connections])
        for connections in numbers
    ]
    page = _PAGE.substitute(
        command=circumstances.command,
        date=circumstances.machine["date"],
        server_cpu=circumstances.server_cpu,
        load_cpu=circumstances.load_cpu,
        rounds=circumstances.rounds,
        seconds=circumstances.seconds,
        target=TARGET,
        body_bytes=f"{len(BODY):,}",
        disturbance=disturbance([entry.others_cpu for entry in measurements]),
        bars=bars_table(compare(measurements)),
        tables="\n\n".join(tables),
        machine="\n".join(
            f"- {name}: {value}"
            for name, value in {**circumstances.machine, **circumstances.versions}.items()
        ),
    )
    path.write_text(page, encoding="utf-8")


def disturbance(shares: Sequence[float]) -> str:
    """Say how far other processes disturbed measurements, each by a part of the two CPUs."""
    disturbed = sum(share > _QUIET for share in shares)
    found = (
        f"Other processes took a median of {median(shares):.1%} and at most {max(shares):.1%} of a "
        f"CPU; in {disturbed} of {len(shares)} measurements they took more than {_QUIET:.0%}."
    )
    if disturbed > len(shares) * _DISTURBED_PART:
        return f"**The machine was not quiet: do not use these figures.** {found}"
    return found


def bars_table(comparisons: Sequence[Comparison]) -> str:
    """Return the comparisons as a table."""
    if not comparisons:
        return "Too few servers were measured to compare any."
    lines = [
        "| Compared | Connections | Median | Spread | Bar | |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for entry in comparisons:
        digits = 0 if entry.relation == "exactly" else 2
        bar = "" if entry.bar is None else f"{entry.relation} {entry.bar:g}"
        lines.append(
            f"| {entry.text} | {entry.connections} | {entry.middle:.{digits}f} | "
            f"{min(entry.values):.{digits}f}-{max(entry.values):.{digits}f} | "
            f"{bar} | {entry.verdict} |"
        )
    return "\n".join(lines)


def _figures(summaries: Sequence[Summary]) -> str:
    lines = [
        "| Server | Requests/s | Spread | p50, ms | p99, ms | CPU | Head, bytes | Errors |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for entry in summaries:
        title = f"**{entry.title}**" if entry.kind == "ours" else entry.title
        errors = ", ".join(f"{count:,} {name}" for name, count in sorted(entry.errors.items()))
        lines.append(
            f"| {title} | {entry.requests_per_second:,.0f} | "
            f"{entry.slowest:,.0f}-{entry.fastest:,.0f} | {entry.p50_milliseconds:.2f} | "
            f"{entry.p99_milliseconds:.2f} | {entry.server_cpu:.0%} / {entry.load_cpu:.0%} | "
            f"{entry.head_bytes} | {errors or 'none'} |"
        )
    return "\n".join(lines)
