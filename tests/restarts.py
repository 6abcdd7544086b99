"""Restarts a node many times under a constant load: ``python tests/restarts.py``.

Rolling restarts, nginx reloads and changes of the number of processes; any request that fails, and
any acknowledged todo that is missing at the end, is a failure of the run.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

from tqdm import tqdm

for folder in (Path(__file__).parents[1], Path(__file__).parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from node_events import reload_nginx, restart, scale  # noqa: E402
from nodes import Node  # noqa: E402
from steady_load import SteadyLoad  # noqa: E402


def main() -> int:
    """Run the campaign and print its figures; the exit code says whether nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--restarts", type=int, default=50, help="default 50")
    parser.add_argument("--reloads", type=int, default=100, help="default 100")
    parser.add_argument("--scalings", type=int, default=10, help="up and down again; default 10")
    parser.add_argument("--requests", type=int, default=100_000, help="at least; default 100,000")
    parser.add_argument("--per-second", type=float, default=400.0, help="default 400")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="restarts-", dir="/tmp"))
    node = Node.choose(folder / "node")
    try:
        print(node.up().stdout)
        return asyncio.run(_run(node, given))
    finally:
        node.run("down", check=False)
        shutil.rmtree(folder)


async def _run(node: Node, given: argparse.Namespace) -> int:
    load = SteadyLoad(node.port, per_second=given.per_second)
    begun = time.monotonic()
    async with load.running() as tally:
        for name, event, times in (
            ("rolling restarts", restart, given.restarts),
            ("nginx reloads", reload_nginx, given.reloads),
            ("scalings to 3 and back", _scale_both_ways, given.scalings),
        ):
            await _repeat(node, name, event, times)
        with tqdm(desc="requests", total=given.requests, initial=tally.sent) as progress:
            while tally.sent < given.requests:
                await asyncio.sleep(1)
                progress.update(tally.sent - progress.n)
    seconds = time.monotonic() - begun
    lost = await load.check_added()
    p99 = quantiles(tally.seconds, n=100)[98]
    print(
        f"{tally.sent:,} requests in {seconds:.0f} s ({len(tally.added):,} POST), "
        f"{len(tally.failures)} failed, {len(lost)} acknowledged todos missing; "
        f"median {median(tally.seconds) * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, "
        f"longest {max(tally.seconds) * 1000:.0f} ms"
    )
    print("\n".join(tally.failures[:20]))
    return 1 if tally.failures or lost else 0


async def _repeat(node: Node, name: str, event: Callable[[Node], object], times: int) -> None:
    for _ in tqdm(range(times), desc=name):
        await asyncio.to_thread(event, node)
        await asyncio.sleep(0.2)  # As often as nobody would do it, and not at once again.


def _scale_both_ways(node: Node) -> None:
    scale(node, 3)
    scale(node, 2)


if __name__ == "__main__":
    sys.exit(main())
