"""Holds the real service against its promise of freshness: many processes, clients and faults.

    python tests/freshness.py --operations 1000000 --processes 4
    python tests/freshness.py --operations 300000 --processes 4 --faults 100

Progress goes to stderr, a summary to stdout. Exit status 1 means that the promise was broken; the
operations that prove it are printed, and the whole history stays in the folder.
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import psutil

for folder in (Path(__file__).parents[1], Path(__file__).parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from freshness_campaign import Campaign, Report, run_campaign  # noqa: E402
from freshness_clients import Progress  # noqa: E402
from freshness_history import MONGODB, Operation  # noqa: E402
from freshness_stack import running_stack  # noqa: E402
from freshness_verdict import Violation  # noqa: E402
from processes import processes_in  # noqa: E402

_SHOWN_VIOLATIONS = 20
_STOP_SECONDS = 20.0


def main() -> int:
    """Do as the command line says; return the exit status."""
    arguments = _arguments()
    campaign = Campaign(
        operations=arguments.operations,
        faults=arguments.faults,
        seconds=arguments.seconds,
        clients=arguments.clients,
        connections=arguments.connections,
        seed=arguments.seed,
    )
    # Neither TMPDIR nor a deep folder: the path of a Unix socket has 107 bytes at most (unix(7)).
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="freshness-", dir="/tmp"))
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with running_stack(folder, processes=arguments.processes, script=arguments.script) as stack:
        report = run_campaign(campaign, stack, on_progress=_tell)
    print(file=sys.stderr)
    print("\n".join(summary(report, arguments.processes)))
    if not report.is_right:
        print(f"\nthe promise is broken; histories and logs are in {folder}")
        return 1
    if arguments.folder is None:
        # The servers end when their last user has left, and write until they have ended.
        psutil.wait_procs(processes_in(folder / "servers"), timeout=_STOP_SECONDS)
        shutil.rmtree(folder)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--operations", type=int, default=1_000_000, help="to check, at least")
    parser.add_argument("--processes", type=int, default=4, help="of the service")
    parser.add_argument("--faults", type=int, default=0, help="to do, at least")
    parser.add_argument("--seconds", type=float, default=0.0, help="to go on for, at least")
    parser.add_argument("--clients", type=int, default=2, help="processes of clients")
    parser.add_argument("--connections", type=int, default=4, help="from each to each process")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn")
    parser.add_argument("--folder", type=Path, help="for histories and logs, which are kept there")
    parser.add_argument("--script", default="run.py", help="what starts a process of the service")
    return parser.parse_args()


def _tell(seconds: float, progress: Progress, faults: int) -> None:
    failed = sum(progress.errors.values())
    line = (
        f"{seconds:6.0f} s  {progress.operations:,} operations, {progress.writes:,} of them "
        f"writes, {failed:,} errors, {faults} faults"
    )
    if sys.stderr.isatty():
        print(f"\r{line}", end="\033[K", file=sys.stderr, flush=True)
    elif int(seconds) % 10 == 0:
        print(line, file=sys.stderr, flush=True)


def summary(report: Report, processes: int) -> list[str]:
    """Return the lines that tell a person what became of a run."""
    progress, verdict = report.progress, report.verdict
    rate = progress.operations / report.seconds
    rows = [
        ("processes of the service", f"{processes}"),
        ("checked operations", f"{progress.operations:,} in {report.seconds:.0f} s, {rate:,.0f}/s"),
        ("of them writes", f"{progress.writes:,}"),
        ("todos on their answers", f"{verdict.sightings:,}, {verdict.unresolved:,} unresolved"),
        ("longest operation", f"{progress.longest:.2f} s"),
        ("faults", f"{len(report.faults)}"),
        ("errors", f"{sum(progress.errors.values()):,}"),
        ("violations", f"{sum(verdict.counts.values()):,}"),
        ("acknowledged writes lost", f"{verdict.lost:,}"),
        ("checked in", f"{report.checking_seconds:.1f} s"),
    ]
    lines = [f"{name:26}{value}" for name, value in rows]
    counts = {
        "answers": report.answers,
        "faults": Counter(fault.name for fault in report.faults),
        "errors": Counter(progress.errors),
        "violations": verdict.counts,
    }
    for title, counted in counts.items():
        if counted:
            lines += ["", title]
            lines += [f"  {name:24}{count:,}" for name, count in counted.most_common()]
    for violation in verdict.violations[:_SHOWN_VIOLATIONS]:
        lines += ["", *_violation(violation, report)]
    return lines


def _violation(violation: Violation, report: Report) -> list[str]:
    lines = [f"{violation.rule.upper()}: todo {violation.todo} {violation.sentence}"]
    begin = min(operation.start for operation in report.operations)
    lines += [_operation(operation, violation.todo, begin) for operation in violation.proof]
    first = min(operation.start for operation in violation.proof)
    last = max(operation.end for operation in violation.proof)
    for fault in report.faults:
        if fault.end > first - 10_000_000_000 and fault.start < last:
            between = f"{_milliseconds(fault.start - begin)} - {_milliseconds(fault.end - begin)}"
            lines.append(f"  {between}  {fault.name}")
    return lines


def _operation(operation: Operation, todo: str, begin: int) -> str:
    shown = [] if operation.page is None else operation.page.items
    what = " ".join(
        f"rev {seen.rev or '?'} write {seen.number}{' finished' if seen.is_finished else ''}"
        for seen in shown
        if seen.todo == todo
    )
    where = "MongoDB" if operation.process == MONGODB else f"process {operation.process}"
    start, end = _milliseconds(operation.start - begin), _milliseconds(operation.end - begin)
    outcome = f"{operation.action} {operation.number or ''} {operation.outcome}"
    return f"  {start} - {end}  {where}  {outcome}  {what}  {operation.remark}"


def _milliseconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:12,.3f}"


if __name__ == "__main__":
    sys.exit(main())
