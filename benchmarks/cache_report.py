"""Writes what ``benchmarks.cache`` measured as a page for people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from benchmarks.cache_load import Measurement
from benchmarks.cache_loads import Load
from benchmarks.cache_results import Summary, compare, summarise
from benchmarks.http_report import Circumstances, bars_table, disturbance

_PAGE = Template("""\
# The todo service compared

Written by `$command` on $date; nothing here is typed by hand.

The whole service, from the request to MongoDB and back, beside the founding article's last stack \
and four others that do the same as a user would
write them ([benchmarks/peers](../../benchmarks/peers), `todo_*.py`): `GET /todo?start=N` gives \
ten todos, newest first, by an index on their time;
`POST /todo` stores the form's `content`. $todos todos are seeded, the same for all. One system \
at a time on CPU $server_cpu; MongoDB, Redis and
wrk (`-t1`, keep-alive, no pipelining) share CPU $load_cpu. Rounds: $rounds of $seconds s each, \
after a warm-up of 1 s (random pages: $random_warm_up s); in each round every system is measured
once under every load, beginning with another system each time.

![Requests per second and 99th percentiles]($stem.png)

$disturbance

## Bars

Ratios are taken within a round, where all systems met the same machine; "best peer" is the \
fastest of the round. The table has their median and
their spread, and in how many rounds a bar was met.

$bars

## Figures

Medians of the rounds; the spread is slowest to fastest. Requests/s are those answered with 2xx. \
Latencies are those of a closed loop: each
connection asks again when it has its answer, so at full load they say how long the queue is. \
"CPU" is what the system used of its core and, after
the slashes, what wrk and what MongoDB with Redis used of the other. Errors are counted over all \
rounds and warm-ups.

$tables

## How to read this

- **What is promised differs.** Ours is strict: a read that starts after a write was acknowledged \
returns that write or a later one
  ([design](../consistency.md)); each hit proves its freshness in Redis, one round trip for all \
that ask in one turn of the loop. The peers delete
  their pages after a write: a reader that fills the page meanwhile can leave an old one there \
until the next write, for up to an hour.
- **Where a hit comes from differs.** Ours keeps answers in the process, ready as bytes, and asks \
Redis for a stamp alone; the peers fetch the
  page from Redis for each request. That is the design, not a detail of tuning; the row \
"freshness proof off" asks Redis for nothing.
- **Our server remembers heads it has read**, and wrk sends the same head again and again; \
[http.md](http.md) has what that is worth.
- nginx serves the bytes of the newest page from a file. It is a yardstick for one page; it knows \
of no write. Its headers are its own.
- Writes are as durable for all: `w: majority` and `j: true`, on a replica set of one. Ours wait \
for one another and share a bulk write (group
  commit); each is acknowledged when its own document is in the journal. Peers insert one by one.
- **Ours and nginx run with their access logs on**, as by default, each into a file (nginx's is \
buffered as in [conf/nginx](../../conf/nginx/log.conf)); "access log off" stands beside them.
- The peers run with one worker and their access logs off, which spares them what ours pays; \
uvicorn with uvloop and httptools, Sanic with uvloop, stock Tornado on asyncio's own loop;
  redis-py with hiredis and as many connections as are asked for: with its own limit of 100 the \
peers answer the clients beyond with errors.
- All talk to MongoDB and Redis through Unix sockets. These two and wrk share one CPU: where its \
three figures come to 100 %, that CPU is the limit and
  the system could have done more. It helps whoever asks MongoDB and Redis for less.
- $random
- Redis commands are counted by Redis itself (`INFO commandstats`), the turns of the loop by \
`todo_cache_proof_requests_count`: a turn in which nobody asks sends
  nothing.
- A timeout is an answer after more than 2 s. wrk does not count a connection that never gets one, \
so each system is asked again after its loads.

## Taken with

$machine
""")

_RANDOM = {
    False: "Random pages: the 1,000 pages of the seeded todos, each as likely. They are few enough "
    "to be cached in the warm-up.",
    True: "Random pages: the 1,001 pages that begin at a multiple of ten up to 10,000, which is as "
    "deep as `start` goes here (`max_start`). Pages from any start: 10,001 different pages of ten "
    "down to there, too many to be cached in the warm-up; this is how fast MongoDB skips, in our "
    "index of owner, time and id or in the peers' of time alone. Deeper pages are reached with the "
    "cursors of `/v1/todos`, which the peers do not have, so they are not compared. "
    "Loads that write are left out.",
}


@dataclass(frozen=True)
class Report:
    """A run of the benchmark: circumstances and results."""

    circumstances: Circumstances
    todos: int
    is_big: bool
    loads: Sequence[Load]
    measurements: Sequence[Measurement]

    @property
    def disturbance(self) -> str:
        """How far other processes disturbed the measurements."""
        return disturbance([entry.others_cpu for entry in self.measurements])

    @property
    def bars(self) -> str:
        """The comparisons as a table."""
        return bars_table(compare(self.measurements))


def write_report(path: Path, report: Report) -> None:
    """Write the page; the plot is expected beside it."""
    taken: Mapping[str, str] = report.circumstances.machine | report.circumstances.versions
    page = _PAGE.substitute(
        command=report.circumstances.command,
        date=report.circumstances.machine["date"],
        stem=path.stem,
        todos=f"{report.todos:,}",
        server_cpu=report.circumstances.server_cpu,
        load_cpu=report.circumstances.load_cpu,
        rounds=report.circumstances.rounds,
        seconds=report.circumstances.seconds,
        disturbance=report.disturbance,
        bars=report.bars,
        tables="\n\n".join(_tables(report)),
        random_warm_up=max(load.warm_up_seconds for load in report.loads),
        random=_RANDOM[report.is_big],
        machine="\n".join(f"- {name}: {value}" for name, value in taken.items()),
    )
    path.write_text(page, encoding="utf-8")


def _tables(report: Report) -> Iterator[str]:
    summaries = summarise(report.measurements)
    for load in report.loads:
        for connections in sorted({entry.connections for entry in summaries}):
            rows = [
                entry
                for entry in summaries
                if entry.load == load.name and entry.connections == connections
            ]
            if rows:
                title = f"{load.title[0].upper()}{load.title[1:]}"
                yield f"### {title}, {connections:,} connections\n\n{_figures(rows)}"


def _figures(rows: Sequence[Summary]) -> str:
    lines = [
        "| System | Requests/s | Spread | p50, ms | p99, ms | CPU | Errors |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in sorted(rows, key=lambda entry: -entry.requests_per_second):
        title = f"**{row.title}**" if row.title.startswith("ours") else row.title
        errors = ", ".join(f"{count:,} {name}" for name, count in sorted(row.errors.items()))
        lines.append(
            f"| {title} | {row.requests_per_second:,.0f} | "
            f"{row.slowest:,.0f}-{row.fastest:,.0f} | {row.p50_milliseconds:.2f} | "
            f"{row.p99_milliseconds:.2f} | {row.server_cpu:.0%} / {row.load_cpu:.0%} / "
            f"{row.backends_cpu:.0%} | {errors or 'none'} |"
        )
    return "\n".join(lines)
