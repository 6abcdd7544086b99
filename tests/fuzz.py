"""Fuzzes `app.httpserver` against h11 and Tornado's own server.

Streams of requests, right and wrong, are read by all three. Where they differ, a rule of
`fuzz_rules` must say why; a difference without a rule is a failure, and so is whatever our server
accepts and both others refuse, reads differently when it comes in pieces, or logs as an error.

    python tests/fuzz.py --seconds 1800 --seed 1

Progress goes to stderr, a summary to stdout. Exit status 1 means that there were failures; an
example of each is saved to a file that is named in the summary, and ``--replay FILE`` reads it.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic

for folder in (Path(__file__).parents[1], Path(__file__).parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from fuzz_comparison import Comparer, Finding, Outcome, minimised  # noqa: E402
from fuzz_inputs import Maker  # noqa: E402

_PROGRESS_SECONDS = 10.0


@dataclass
class Kind:
    """Differences with the same explanation."""

    finding: Finding
    count: int = 0
    example: bytes = b""
    cuts: list[int] = field(default_factory=list)


@dataclass
class Report:
    """What a run has found.

    Attributes:
        inputs: streams that were read.
        seconds: how long that took.
        outcomes: what became of the messages in them, with the statuses of refusals.
        kinds: the differences, by the server that reads differently and the rule.
    """

    inputs: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    kinds: dict[tuple[str, str], Kind] = field(default_factory=dict)

    @property
    def failures(self) -> list[Kind]:
        """The kinds that must not be."""
        return [kind for kind in self.kinds.values() if kind.finding.is_failure]

    def add(self, stream: bytes, cuts: list[int], outcome: Outcome) -> None:
        """Count a stream; of each kind of difference the shortest one is kept."""
        self.inputs += 1
        for step in outcome.steps:
            self.outcomes[f"{step.kind} {step.status or ''}".strip()] += 1
        for finding in outcome.findings:
            kind = self.kinds.setdefault((finding.other, finding.rule), Kind(finding))
            kind.count += 1
            if kind.count == 1 or len(stream) < len(kind.example):
                kind.example, kind.cuts = stream, cuts


async def fuzz(*, seed: int, goes_on: Callable[[Report], bool]) -> Report:
    """Read streams for as long as ``goes_on`` says; the same seed makes the same streams."""
    maker = Maker(Random(seed))
    comparer = Comparer()
    report = Report()
    started = monotonic()
    while goes_on(report):
        stream = maker.stream()
        cuts = maker.cuts(len(stream))
        report.add(stream, cuts, await comparer.compare(stream, cuts))
        report.seconds = monotonic() - started
    return report


async def shorten(kind: Kind) -> None:
    """Make a kind's example as short as it gets."""
    comparer = Comparer()
    key = kind.finding.other, kind.finding.rule

    async def is_example(stream: bytes) -> bool:
        outcome = await comparer.compare(stream, kind.cuts)
        return any((finding.other, finding.rule) == key for finding in outcome.findings)

    kind.example = await minimised(kind.example, is_example)


def print_summary(report: Report, folder: Path) -> None:
    """Print the report; save the examples of failures to files in a folder."""
    rate = report.inputs / max(report.seconds, 0.001)
    print(f"{report.inputs:,} inputs in {report.seconds:,.0f} s, {rate:,.0f} per second\n")
    print(f"{'messages':>10}  outcome")
    for outcome, count in report.outcomes.most_common():
        print(f"{count:10,}  {outcome}")
    print(f"\n{'count':>10}  {'reader':8} difference")
    kinds = sorted(report.kinds.values(), key=lambda kind: kind.finding)
    for kind in kinds:
        print(f"{kind.count:10,}  {kind.finding.other:8} {kind.finding.rule}")
        print(f"{'':12}{kind.finding.explanation}")
        print(f"{'':12}{_shown(kind.example)}")
    for number, kind in enumerate(report.failures, 1):
        path = folder / f"fuzz-failure-{number}.bin"
        path.write_bytes(kind.example)
        print(f"\nFAILURE {kind.finding.other}: {kind.finding.rule}, saved to {path}")
        print(f"  {kind.finding.explanation} Cut at {kind.cuts}.")
    print(f"\n{len(kinds)} kinds of differences, {len(report.failures)} of them failures")


def _shown(example: bytes) -> str:
    text = repr(example)[1:]
    return text if len(text) <= 160 else f"{text[:120]} ... {text[-35:]}"


async def _run(arguments: argparse.Namespace) -> Report:
    if arguments.replay:
        report = Report()
        stream = arguments.replay.read_bytes()
        cuts = list(range(len(stream)))
        report.add(stream, cuts, await Comparer().compare(stream, cuts))
        return report
    progress = 0.0

    def goes_on(report: Report) -> bool:
        nonlocal progress
        if report.seconds >= progress:
            progress += _PROGRESS_SECONDS
            text = f"{report.seconds:6.0f} s {report.inputs:10,} inputs"
            print(f"{text} {len(report.failures)} failures", file=sys.stderr)
        return report.seconds < arguments.seconds

    report = await fuzz(seed=arguments.seed, goes_on=goes_on)
    for kind in report.kinds.values():
        await shorten(kind)
    return report


def main() -> int:
    """Run; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to go on")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other streams")
    parser.add_argument("--folder", type=Path, default=Path(), help="where failures are saved")
    parser.add_argument("--replay", type=Path, help="read this file, whole and byte by byte")
    report = asyncio.run(_run(parser.parse_args()))
    print_summary(report, parser.parse_args().folder)
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
