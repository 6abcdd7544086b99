"""Runs the rows of `fault_rows` on a node under load, and says what became of each."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from threading import Event, Thread

from fault_rows import Row
from freshness_campaign import Campaign, Report, run_campaign
from freshness_faults import Fault
from node_faults import Patient

_QUIET_SECONDS = 2.0
"""Before the first fault and after the last one, for operations that nothing disturbs."""

_REST_SECONDS = (0.3, 1.5)
"""Between two faults, when all is well again."""

_MORE_DESCRIPTORS = 40
"""That the pools of two processes may have grown by."""


class Strikes(Thread):
    """Does one fault so many times, each when the node is well again.

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
        super().__init__(name="strikes")
        self._row = row
        self._patient = patient
        self._times = times
        self._random = random
        self._on_strike = on_strike
        self._must_stop = Event()
        self._error: BaseException | None = None
        self.faults: list[Fault] = []
        self.waited: list[float] = []

    def run(self) -> None:
        """Do it; called in the thread."""
        try:
            self._must_stop.wait(_QUIET_SECONDS)
            for _ in range(self._times):
                if self._must_stop.wait(self._random.uniform(*_REST_SECONDS)):
                    return
                start = time.monotonic_ns()
                waited = self._row.strike(self._patient)
                if waited is not None:
                    self.waited.append(waited)
                end = time.monotonic_ns()
                self._patient.wait_until_well()
                self.faults.append(Fault(self._row.name, start, end))
                self._on_strike()
            time.sleep(_QUIET_SECONDS)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for.
            self._error = error

    def stop(self) -> None:
        """Return when the last fault is over; raise what went wrong."""
        self._must_stop.set()
        self.join()
        if self._error is not None:
            raise self._error

    @property
    def has_ended(self) -> bool:
        """All is done, or has failed."""
        return not self.is_alive()


@dataclass
class Result:
    """What became of a row, and what did not hold."""

    row: Row
    times: int
    operations: int
    errors: Counter[str]
    lost: int
    violations: Counter[str]
    longest: float
    waited: list[float]
    writes_back: list[float]
    seconds: float
    descriptors: int
    """More than before that the service's processes have open."""

    broken: list[str] = field(default_factory=list)

    @property
    def error_share(self) -> float:
        """Of all requests."""
        failed = sum(self.errors.values())
        return failed / max(1, failed + self.operations)


def run_row(
    row: Row, patient: Patient, *, times: int, seed: int, on_strike: Callable[[], object]
) -> Result:
    """Do a row's fault so many times under load, and check what clients saw."""
    patient.forget_all()
    descriptors = patient.descriptors()
    strikes = Strikes(row, patient, times=times, random=Random(seed), on_strike=on_strike)
    campaign = Campaign(
        faults=times,
        clients=1,
        connections=8,
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
        writes_back=_writes_back(report, strikes.faults),
        seconds=report.seconds,
        descriptors=patient.descriptors() - descriptors,
    )
    result.broken = _broken(result, report)
    return result


def _writes_back(report: Report, faults: Sequence[Fault]) -> list[float]:
    """Return the seconds from each fault to the end of a write that began after it and was done."""
    ends = sorted(
        (operation.start, operation.end)
        for operation in report.operations
        if operation.is_write and operation.outcome == "done"
    )
    return [
        min((end - fault.start for start, end in ends if start > fault.start), default=math.inf)
        / 1e9
        for fault in faults
    ]


def _read_error_share(report: Report) -> float:
    reads = [operation for operation in report.operations if not operation.is_write]
    return sum(read.outcome == "unknown" for read in reads) / max(1, len(reads))


def _broken(result: Result, report: Report) -> list[str]:
    row = result.row
    broken = []
    if result.violations:
        broken.append(f"violations: {dict(result.violations)}")
    if result.lost:
        broken.append(f"{result.lost} acknowledged writes lost")
    if result.error_share > row.most_error_share:
        broken.append(f"errors: {result.error_share:.3%}, more than {row.most_error_share:.3%}")
    if (share := _read_error_share(report)) > row.most_read_error_share:
        broken.append(f"errors of reads: {share:.3%}, more than {row.most_read_error_share:.3%}")
    if refused := [entry for entry in report.operations if entry.outcome == "refused"]:
        broken.append(f"{len(refused)} answers nobody should get, such as {refused[0].remark}")
    if result.descriptors > _MORE_DESCRIPTORS:
        broken.append(f"{result.descriptors} descriptors more than before")
    if result.longest > row.most_seconds:
        broken.append(f"a request took {result.longest:.1f} s, above {row.most_seconds:g} s")
    for what, seconds, bar in (
        ("back", result.waited, row.back_seconds),
        ("writes back", result.writes_back, row.writes_back_seconds),
    ):
        if bar is not None and seconds and max(seconds) > bar:
            broken.append(f"{what} after {max(seconds):.1f} s, above {bar:g} s")
    return broken
