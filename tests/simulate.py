"""Runs the cache's protocol through random interleavings, in virtual time.

The code is the real one of `app.cache`, `app.services.writing` and `handlers.shortcut`; Redis,
MongoDB, the network, the clock and the processes are simulated. An interleaving is one short run of
a few processes, clients and faults, drawn from its seed.

    python tests/simulate.py --interleavings 1000000 --processes 2
    python tests/simulate.py --defences
    python tests/simulate.py --replay 4711

Progress goes to stderr, a summary to stdout. Exit status 1 means that a promise was broken, or that
a defence was taken away and nothing was noticed.
"""

import argparse
import gc
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import NamedTuple

for folder in (Path(__file__).parents[1], Path(__file__).parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from simulated_defences import DEFENCES, Defence  # noqa: E402
from simulated_history import Violation  # noqa: E402
from simulated_world import ALL_KINDS, Kind, World  # noqa: E402

_BLOCK = 2000
_COLLECT_EVERY = 1000
_MOST_SEEDS = 50_000


class Found(NamedTuple):
    """A run that broke the promise."""

    seed: int
    violation: Violation


@dataclass
class Report:
    """What some runs have shown."""

    runs: int = 0
    steps: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    found: list[Found] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        """Add another one's figures."""
        self.runs += other.runs
        self.steps += other.steps
        self.kinds += other.kinds
        self.operations += other.operations
        self.found += other.found


def simulate(seeds: range, kind: Kind | None = None) -> Report:
    """Run an interleaving for each seed."""
    report = Report()
    for world, violations in _runs(seeds, kind=kind):
        report.runs += 1
        report.steps += world.timeline.steps
        report.kinds[world.kind.name] += 1
        for operation in world.history.operations:
            what = "write" if operation.is_write else "read"
            report.operations[f"{what} {operation.outcome}"] += 1
        report.found += [Found(world.seed, violation) for violation in violations[:1]]
    return report


def search(defence: Defence, seeds: range) -> Found | None:
    """Return the first run that shows that a defence is missing, and goes well with it."""
    for world, violations in _runs(seeds, defence=defence):
        if violations and not World(world.seed, None, defence.with_it or defence.kind).run():
            return Found(world.seed, violations[0])
    return None


def _runs(
    seeds: range, *, defence: Defence | None = None, kind: Kind | None = None
) -> Iterator[tuple[World, list[Violation]]]:
    # A run leaves many cycles behind: looking for them once in a while is quicker.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for place, seed in enumerate(seeds, 1):
            world = (
                World(seed, defence.without, defence.kind) if defence else World(seed, None, kind)
            )
            yield world, world.run()
            if place % _COLLECT_EVERY == 0:
                gc.collect()
    finally:
        if was_enabled:
            gc.enable()


def _simulate(arguments: argparse.Namespace, kind: Kind | None) -> int:
    first, count = arguments.seed, arguments.interleavings
    report, began = Report(), monotonic()
    blocks = [
        range(begin, min(begin + _BLOCK, first + count))
        for begin in range(first, first + count, _BLOCK)
    ]
    with ProcessPoolExecutor(arguments.processes) as pool:
        jobs = [pool.submit(simulate, block, kind) for block in blocks]
        for number, job in enumerate(as_completed(jobs), 1):
            report.add(job.result())
            if number % 20 == 0:
                _progress(report, monotonic() - began)
    seconds = monotonic() - began
    print(f"{report.runs:,} interleavings, seeds {first} to {first + count - 1}")
    print(f"{report.steps:,} steps, {seconds:,.0f} s, {report.runs / seconds:,.0f} per second")
    print("worlds:", ", ".join(f"{name} {many:,}" for name, many in report.kinds.most_common()))
    operations = sorted(report.operations.items())
    print("operations:", ", ".join(f"{name} {many:,}" for name, many in operations))
    for seed, violation in sorted(report.found)[:20]:
        print(f"VIOLATION seed {seed}, step {violation.step}: {violation.text}")
    print(f"{len(report.found)} violations")
    return 1 if report.found else 0


def _progress(report: Report, seconds: float) -> None:
    text = f"{seconds:6.0f} s {report.runs:10,} interleavings {len(report.found)} violations"
    print(text, file=sys.stderr)


def _show_defences() -> int:
    is_missed = False
    print(f"{'without':50} {'world':16} {'seed':>6} {'steps':>6}  violation")
    for defence in DEFENCES:
        found = search(defence, range(defence.seed, defence.seed + _MOST_SEEDS))
        row = f"{defence.name:50} {defence.kind.name:16}"
        if found is None:
            is_missed = True
            print(f"{row} NOT CAUGHT in {_MOST_SEEDS:,} seeds", flush=True)
        else:
            print(
                f"{row} {found.seed:6} {found.violation.step:6}  {found.violation.text}", flush=True
            )
    return 1 if is_missed else 0


def _replay(seed: int, kind: Kind | None, without: int | None) -> int:
    if without is None:
        world = World(seed, None, kind, is_traced=True)
    else:
        defence = DEFENCES[without - 1]
        print(f"without: {defence.name}")
        world = World(seed, defence.without, defence.kind, is_traced=True)
    violations = world.run()
    print(f"seed {seed}, world: {world.kind.name}")
    print("\n".join(world.timeline.trace or ()))
    for violation in violations:
        print(f"VIOLATION step {violation.step}: {violation.text}")
    return 1 if violations else 0


def main() -> int:
    """Run; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--interleavings", type=int, default=20_000, help="how many runs")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first run")
    parser.add_argument("--processes", type=int, default=2, help="that simulate at a time")
    parser.add_argument("--world", choices=ALL_KINDS, help="the only kind; drawn when missing")
    parser.add_argument("--defences", action="store_true", help="take each defence away")
    parser.add_argument("--replay", type=int, metavar="SEED", help="show the steps of one run")
    parser.add_argument(
        "--without", type=int, metavar="N", help="replay without the Nth of the defences"
    )
    arguments = parser.parse_args()
    # It warns of what the simulator does to it, a million times.
    logging.getLogger("app.cache.redis_stamps").disabled = True
    kind = ALL_KINDS.get(arguments.world)
    if arguments.replay is not None:
        return _replay(arguments.replay, kind, arguments.without)
    if arguments.defences:
        return _show_defences()
    return _simulate(arguments, kind)


if __name__ == "__main__":
    sys.exit(main())
