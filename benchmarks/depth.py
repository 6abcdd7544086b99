"""Compares the first page with one at depth 900,000: ``python -m benchmarks.depth``.

Seeds a data directory of its own with 1,000,000 todos (once; it is kept), follows the cursors
down, then asks for both pages in turn.
"""

import argparse
import json
import subprocess
import sys
import time
from http.client import HTTPConnection
from statistics import median
from typing import Any

from tqdm import tqdm

from benchmarks.service import ROOT, service

PORT = 8766
PAGE_TODOS = 100


def main() -> None:
    """Print both medians and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.depth", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="todos (default 1,000,000)")
    parser.add_argument("--depth", type=int, default=900_000, help="todos above (default 900,000)")
    parser.add_argument("--pairs", type=int, default=500, help="paired requests (default 500)")
    parser.add_argument("--data-dir", default="var-benchmark", help="default var-benchmark")
    given = parser.parse_args()
    with service(f"--data-dir={given.data_dir}", port=PORT):
        connection = HTTPConnection("127.0.0.1", PORT)
        if not _page(connection, "/v1/todos?limit=1")["items"]:
            _seed(given.count, given.data_dir)
        deep = _follow_cursors(connection, given.depth)
        targets = {"first page": "/v1/todos", f"at depth {given.depth:,}": deep}
        seconds: dict[str, list[float]] = {name: [] for name in targets}
        for _ in range(given.pairs):
            for name, target in targets.items():
                started = time.perf_counter()
                _page(connection, target)
                seconds[name].append(time.perf_counter() - started)
    medians = {name: median(times) * 1000 for name, times in seconds.items()}
    for name, milliseconds in medians.items():
        print(f"{name:18} median {milliseconds:.2f} ms ({given.pairs} requests)")
    shallow, deep_median = medians.values()
    print(f"ratio {deep_median / shallow:.2f}")


def _seed(count: int, data_dir: str) -> None:
    command = [sys.executable, "run.py", "seed", f"--count={count}", f"--data-dir={data_dir}"]
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603 - ours.


def _follow_cursors(connection: HTTPConnection, depth: int) -> str:
    target = f"/v1/todos?limit={PAGE_TODOS}"
    for _ in tqdm(range(depth // PAGE_TODOS), unit=" pages", desc="following cursors"):
        cursor = _page(connection, target)["next_cursor"]
        target = f"/v1/todos?limit={PAGE_TODOS}&cursor={cursor}"
    return f"/v1/todos?cursor={cursor}"


def _page(connection: HTTPConnection, target: str) -> dict[str, Any]:
    connection.request("GET", target)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise RuntimeError(f"{target} answered {response.status}: {body[:200]!r}")
    page: dict[str, Any] = json.loads(body)
    return page


if __name__ == "__main__":
    main()
