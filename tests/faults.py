"""Does to a node under load what may happen to it, many times: ``python tests/faults.py``.

Clients ask through nginx, record what they see, and the checker of the freshness tests looks for
anything stale or lost. Writes a line for each kind of fault, and with --output a table. The exit
code is 1 if something did not hold.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from statistics import median

import psutil
from tqdm import tqdm

for folder in (Path(__file__).parents[1], Path(__file__).parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from fault_campaign import Result, failed, run_row  # noqa: E402
from fault_crowd import HEAD, MOST_TIMES, Crowd, measure_crowds  # noqa: E402
from fault_rows import ROWS, Row  # noqa: E402
from fault_setups import on_small_disks, plain  # noqa: E402
from node_faults import Patient  # noqa: E402
from processes import processes_in  # noqa: E402

_STOP_SECONDS = 20.0
_HEAD = """\
| Fault | Times | Requests | Errors | Longest | Back | Without a write | Stale | Lost | |
| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | --- |
"""


def main() -> int:
    """Do as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer of each, some of none")
    parser.add_argument("--only", nargs="+", default=[""], help="those with this text, or crowd")
    parser.add_argument("--times", type=int, help="of each, in place of the row's own number")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn")
    parser.add_argument("--output", type=Path, help="a file for the table")
    given = parser.parse_args()
    rows = [row for row in ROWS if any(text in row.name for text in given.only)]
    if os.geteuid() != 0 and any(row.setup is on_small_disks for row in rows) and not given.short:
        parser.error("disks are mounted by root alone: be root, or say with --only what to do")
    table = _Table(given.output)
    if rows:
        table.write(_HEAD)
    results = run_rows(
        rows, short=given.short, times=given.times, seed=given.seed, on_result=table.add
    )
    crowds = [] if given.short or not any(text in "crowd" for text in given.only) else _crowds()
    if crowds:
        table.write(f"\n{HEAD}" + "".join(crowd.line for crowd in crowds))
    is_right = all(crowd.times <= MOST_TIMES for crowd in crowds)
    return 0 if is_right and not any(result.broken or result.missed for result in results) else 1


class _Table:
    """The table of results, on standard output and in a file; each row as soon as it is known."""

    def __init__(self, output: Path | None) -> None:
        self._output = output
        if output is not None:
            output.write_text("", encoding="utf-8")

    def add(self, result: Result) -> None:
        """Write a row."""
        self.write(line(result))

    def write(self, text: str) -> None:
        """Write lines."""
        print(text, end="", flush=True)
        if self._output is not None:
            with self._output.open("a", encoding="utf-8") as file:
                file.write(text)


def _crowds() -> list[Crowd]:
    with _folder() as folder, plain(folder) as patient:
        return list(tqdm(measure_crowds(patient), desc="crowds", total=2, disable=None))


def run_rows(
    rows: Sequence[Row],
    *,
    short: bool,
    times: int | None,
    seed: int,
    on_result: Callable[[Result], object],
) -> list[Result]:
    """Run rows, those with one setup on one node; give each result as soon as it is known."""
    results = []
    for setup, group in groupby(rows, key=lambda row: row.setup):
        numbers = {row: times or (row.short_times if short else row.times) for row in group}
        if any(numbers.values()):
            with _folder() as folder, setup(folder) as patient:
                for row, number in numbers.items():
                    if number:
                        results.append(_run(row, patient, number, seed))
                        on_result(results[-1])
    return results


def _run(row: Row, patient: Patient, times: int, seed: int) -> Result:
    with tqdm(total=times, desc=row.name, disable=None) as progress:
        try:
            return run_row(row, patient, times=times, seed=seed, on_strike=progress.update)
        except Exception as error:  # noqa: BLE001 - the other rows shall be done all the same.
            return failed(row, error)


@contextmanager
def _folder() -> Iterator[Path]:
    # Neither TMPDIR nor a deep folder: the path of a Unix socket has 107 bytes at most (unix(7)).
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir="/tmp"))
    try:
        yield folder
    except BaseException:
        print(f"histories and logs are in {folder}", file=sys.stderr)
        raise
    # The servers end when their last user has left, and write until they have ended.
    psutil.wait_procs(processes_in(folder / "servers"), timeout=_STOP_SECONDS)
    shutil.rmtree(folder)


def line(result: Result) -> str:
    """Return a row of the table."""
    errors = ", ".join(f"{count:,} {name}" for name, count in result.errors.most_common())
    cells = (
        result.row.name,
        f"{result.times}",
        f"{result.operations:,}",
        f"{result.error_share:.3%}" + (f" ({errors})" if errors else ""),
        f"{result.longest:.1f} s",
        _seconds(result.waited),
        _seconds(result.without_write),
        f"{sum(result.violations.values())}",
        f"{result.lost}",
        "; ".join([*result.broken, *result.missed]) or "holds",
    )
    return f"| {' | '.join(cells)} |\n"


def _seconds(values: Sequence[float]) -> str:
    return f"{median(values):.1f}, at most {max(values):.1f} s" if values else ""


if __name__ == "__main__":
    sys.exit(main())
