"""Compares HTTP servers that give the same answer: ``python -m benchmarks.http``.

Writes a page, a plot and the raw figures. Takes about 12 minutes as it stands.
"""

import argparse
import json
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import psutil
from tqdm import tqdm

from benchmarks.http_load import Measurement, measure
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
from benchmarks.http_report import Circumstances, bars_table, disturbance, write_report
from benchmarks.http_results import compare, summarise
from benchmarks.http_servers import CONTENDERS, Contender, running
from benchmarks.peers.body import BODY

_MODULE = "python -m benchmarks.http"
_INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended, as shells give it."""


def main() -> None:
    """Measure, write and print what was asked for; say in one sentence what is missing."""
    given = _arguments()
    # SIGTERM must leave by the same door as Ctrl-C, so that the servers are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        _run(given)
    except BenchmarkError as error:
        sys.exit(f"benchmarks.http: {error}")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    finally:
        # A signal between the start of a process and the note of it leaves it to nobody else.
        for left in psutil.Process().children(recursive=True):
            left.kill()


def _arguments() -> argparse.Namespace:
    names = [entry.name for entry in CONTENDERS]
    parser = argparse.ArgumentParser(prog=_MODULE, description=__doc__)
    parser.add_argument("--rounds", type=_positive, default=5, help="default 5")
    parser.add_argument(
        "--seconds", type=_positive, default=4, help="of each measurement (default 4)"
    )
    parser.add_argument(
        "--connections", type=_positive, nargs="+", default=[100, 1000], help="default 100 1000"
    )
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names)
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "docs" / "benchmarks",
        help="folder for http.md, http.png, http.svg and http.json (default docs/benchmarks)",
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
    server_cpu, load_cpu = choose_cpus()
    allow_connections(max(given.connections))
    prepare_environment()
    contenders = [entry for entry in CONTENDERS if entry.name in given.only]
    circumstances = Circumstances(
        command=shlex.join([*_MODULE.split(), *sys.argv[1:]]),
        rounds=given.rounds,
        seconds=given.seconds,
        server_cpu=server_cpu,
        load_cpu=load_cpu,
        machine=describe_machine(),
        versions=describe_versions(),
    )
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        _check_all(contenders, server_cpu, Path(folder))
        measurements = _measure_all(contenders, given, (server_cpu, load_cpu), Path(folder))
    _write(given.output, circumstances, measurements)


def _check_all(contenders: Sequence[Contender], cpu: int, folder: Path) -> None:
    """Start every server once, so that a broken one is found now and not in minutes."""
    for contender in tqdm(contenders, desc="checking answers", unit=" servers"):
        with running(contender, cpu, folder / f"check-{contender.name}"):
            pass


def _measure_all(
    contenders: Sequence[Contender], given: argparse.Namespace, cpus: tuple[int, int], folder: Path
) -> list[Measurement]:
    """Measure every server once in each round, one after the other."""
    measurements: list[Measurement] = []
    total = given.rounds * len(contenders) * len(given.connections)
    with tqdm(total=total, unit=" measurements") as progress:
        for number in range(given.rounds):
            # Another one begins each round, so that no server always follows the same one.
            start = number * len(contenders) // given.rounds
            for contender in [*contenders[start:], *contenders[:start]]:
                # It is started for its turn and stopped after it: idle servers wake up now and
                # then, which would be at the cost of the one that is measured.
                with running(contender, cpus[0], folder / f"{number}-{contender.name}") as server:
                    for connections in given.connections[:: 1 if number % 2 == 0 else -1]:
                        progress.set_description(f"{contender.name} {connections}")
                        measurements.append(
                            measure(
                                contender,
                                server,
                                round_number=number,
                                connections=connections,
                                seconds=given.seconds,
                                cpus=cpus,
                            )
                        )
                        progress.update()
    return measurements


def _write(folder: Path, circumstances: Circumstances, measurements: Sequence[Measurement]) -> None:
    summaries = summarise(measurements)
    comparisons = compare(measurements)
    folder.mkdir(parents=True, exist_ok=True)
    raw = {
        **asdict(circumstances),
        "body_bytes": len(BODY),
        "summaries": [asdict(entry) for entry in summaries],
        "comparisons": [asdict(entry) | {"verdict": entry.verdict} for entry in comparisons],
        "measurements": [asdict(entry) for entry in measurements],
    }
    text = json.dumps(raw, indent=1)
    (folder / "http.json").write_text(f"{text}\n", encoding="utf-8")
    write_report(folder / "http.md", circumstances, measurements)
    chart = [peer_program("python"), "-m", "benchmarks.http_chart", str(folder.resolve())]
    if subprocess.run(chart, cwd=ROOT, check=False).returncode != 0:  # noqa: S603 - ours.
        raise BenchmarkError(f"the plot failed; figures and page are in {folder}")
    print(disturbance([entry.others_cpu for entry in measurements]))
    print(bars_table(comparisons))
    print(f"written to {folder}")


if __name__ == "__main__":
    main()
