"""Runs the rows of `fault_rows` on a node under load, and says what became of each."""

import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from fault_rows import Row
from freshness_campaign import Campaign, Report, run_campaign
from freshness_faults import Fault, Troubles
from freshness_history import MONGODB, Operation
from node_faults import Patient

_QUIET_SECONDS = 2.0
"""Before the first fault, for operations that nothing disturbs."""

_REST_SECONDS = (0.3, 1.5)
"""Between two faults, when all is well again."""

_MORE_DESCRIPTORS = 10
"""Than after the second fault; by then the pools have grown to what the load needs."""

_CONNECTIONS = 8
_READERS = 3
_OUTAGE_SECONDS = 60.0
_OUTAGE_SHARE = 0.5
"""A request that takes so long, and errors of so many, are not for want of processors."""

_LEAST_READS_PER_SECOND = 20.0
"""Of the readers, for a service whose reads go on: a few per cent of what they do otherwise."""


class Strikes(Troubles):
    """Does one fault so many times, each when the node is well again and its caches are used.

    Args:
        row: the fault.
        patient: the node.
        times: how often.
        random: draws the pauses.
        on_strike: called after each.
    """

    def __init__(
        self,
        row: Row,
        patient: Patient,
        *,
        times: int,
        random: Random,
        on_strike: Callable[[], object],
    ) -> None:
        super().__init__()
        self._row = row
        self._patient = patient
        self._times = times
        self._random = random
        self._on_strike = on_strike
        self.descriptors: list[int] = []
        """That the service's processes had open, after each."""
        self.waited: list[float] = []

    def _do_all(self) -> None:
        self._must_stop.wait(_QUIET_SECONDS)
        for _ in range(self._times):
            if self._must_stop.wait(self._random.uniform(*_REST_SECONDS)):
                return
            self._patient.wait_until_caches_are_used()
            start = time.monotonic_ns()
            waited = self._row.strike(self._patient)
            if waited is not None:
                self.waited.append(waited)
            end = time.monotonic_ns()
            self._patient.wait_until_well()
            self.descriptors.append(self._patient.descriptors())
            self.faults.append(Fault(self._row.name, start, end))
            self._on_strike()
        self._patient.wait_until_caches_are_used()


@dataclass
class Result:
    """What became of a row, and what did not hold."""

    row: Row
    times: int = 0
    operations: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    violations: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    waited: list[float] = field(default_factory=list)
    without_write: list[float] = field(default_factory=list)
    descriptors: int = 0
    """More than after the second fault that the service's processes have open."""

    broken: list[str] = field(default_factory=list)
    """What may never happen, on no machine."""

    missed: list[str] = field(default_factory=list)
    """Bars of the row's, shares and seconds, which hold where the machine does nothing else."""

    @property
    def error_share(self) -> float:
        """Of all requests."""
        failed = sum(self.errors.values())
        return failed / max(1, failed + self.operations)


def failed(row: Row, error: Exception) -> Result:
    """Return the result of a row that could not be done to its end."""
    words = str(error).partition("\n")[0] or type(error).__name__
    return Result(row, broken=[f"ended by: {words}"])


def run_row(
    row: Row, patient: Patient, *, times: int, seed: int, on_strike: Callable[[], object]
) -> Result:
    """Do a row's fault so many times under load, and check what clients saw."""
    patient.forget_all()
    patient.random.seed(seed)
    strikes = Strikes(row, patient, times=times, random=Random(seed), on_strike=on_strike)
    campaign = Campaign(
        faults=times,
        clients=1,
        connections=_CONNECTIONS,
        readers=_READERS,
        seed=seed,
        keeps_connections=row.keeps_connections,
        clock_jump_seconds=row.clock_jump_seconds,
        deletes_are_repeated=True,  # See docs/nginx.md, "Retries".
    )
    report = run_campaign(campaign, patient, troubles=strikes)
    result = Result(
        row=row,
        times=len(strikes.faults),
        operations=report.progress.operations,
        errors=Counter(report.progress.errors),
        lost=report.verdict.lost,
        violations=report.verdict.counts,
        longest=report.progress.longest,
        waited=strikes.waited,
        without_write=_seconds_without_write(report, strikes.faults),
        descriptors=_growth(strikes.descriptors),
    )
    result.broken = list(_broken(result, report))
    result.missed = [*_missed(result), *_missed_by_reads(row, report, strikes.faults)]
    return result


def _growth(numbers: Sequence[int]) -> int:
    """Return by how much numbers have grown since the second, but for peaks that pass."""
    return min(numbers[-3:]) - max(numbers[:2]) if len(numbers) > 2 else 0


def _seconds_without_write(report: Report, faults: Sequence[Fault]) -> list[float]:
    """Return the longest time without the end of a done write after each fault's begin."""
    done = sorted(entry.end for entry in report.operations if entry.is_write and _is_done(entry))
    bounds = [fault.start for fault in faults]
    bounds.append(max(entry.end for entry in report.operations))
    longest = []
    for begin, until in pairwise(bounds):
        ends = done[bisect_right(done, begin) : bisect_left(done, until)]
        gaps = (later - earlier for earlier, later in pairwise([begin, *ends, until]))
        longest.append(max(gaps) / 1e9)
    return longest


def _is_done(operation: Operation) -> bool:
    """Tell whether an operation was answered as it should be."""
    return operation.outcome in ("done", "absent")


def _missed_by_reads(row: Row, report: Report, faults: Sequence[Fault]) -> Iterator[str]:
    reads = [
        entry for entry in report.operations if not entry.is_write and entry.process != MONGODB
    ]
    share = sum(not _is_done(read) for read in reads) / max(1, len(reads))
    if share > row.most_read_error_share:
        yield f"errors of reads: {share:.3%}, more than {row.most_read_error_share:.3%}"
    if row.most_read_seconds is None:
        return
    longest = max(read.end - read.start for read in reads) / 1e9
    if longest > row.most_read_seconds:
        yield f"a read took {longest:.1f} s, above {row.most_read_seconds:g} s"
    ends = sorted(read.end for read in reads if _is_done(read))
    for fault in faults:
        until = max(fault.end, fault.start + 10**9)
        done = bisect_right(ends, until) - bisect_left(ends, fault.start)
        if done < _LEAST_READS_PER_SECOND * (until - fault.start) / 1e9:
            yield f"only {done} reads in {(until - fault.start) / 1e9:.1f} s of a fault"


def _broken(result: Result, report: Report) -> Iterator[str]:
    if result.violations:
        yield f"violations: {dict(result.violations)}"
    if result.lost:
        yield f"{result.lost} acknowledged writes lost"
    if refused := [entry for entry in report.operations if entry.outcome == "refused"]:
        yield f"{len(refused)} answers nobody should get, such as {refused[0].remark}"
    if result.descriptors > _MORE_DESCRIPTORS:
        yield f"{result.descriptors} descriptors more than before"
    if result.error_share > _OUTAGE_SHARE or result.longest > _OUTAGE_SECONDS:
        yield f"an outage: errors {result.error_share:.0%}, up to {result.longest:.0f} s a request"


def _missed(result: Result) -> Iterator[str]:
    row = result.row
    if result.error_share > row.most_error_share:
        yield f"errors: {result.error_share:.3%}, more than {row.most_error_share:.3%}"
    for what, seconds, bar in (
        ("a request took", [result.longest], row.most_seconds),
        ("not back for", result.waited, row.back_seconds),
        ("no write was done for", result.without_write, row.most_seconds_without_write),
    ):
        if bar is not None and seconds and max(seconds) > bar:
            yield f"{what} {max(seconds):.1f} s, more than {bar:g} s"
