"""Measures how soon a new process is ready and warm: ``python -m benchmarks.warm``.

Starts a process under load beside one that runs already, in turn with the pages in Redis and with
none, and looks at its hits until they are steady.
"""

import argparse
import subprocess
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from benchmarks.cache_backends import Backends, running_backends
from benchmarks.cache_loads import RANDOM
from benchmarks.cache_servers import service_metrics, wait_for_hits
from benchmarks.http_machine import choose_cpus, find_program
from benchmarks.service import service

TODOS = 10_000
CONNECTIONS = 100
OLD_PORT, NEW_PORT = 8767, 8768
LOAD_SECONDS = 20
STEADY_SECONDS = 5.0
"""At the end of the load; the service is warm when it has 90 % of the hits that it has then."""
WINDOW_SECONDS = 0.25
WARM_PART = 0.9


def main() -> None:
    """Print how long it took, in the median and at most."""
    find_program("wrk")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.warm", description=__doc__)
    parser.add_argument("--starts", type=int, default=5, help="of each kind (default 5)")
    starts = parser.parse_args().starts
    found: dict[str, list[tuple[float, float, float]]] = {"pages in Redis": [], "none": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_backends(Path(folder)) as backends,
        service(*_flags(backends), port=OLD_PORT),
    ):
        backends.seed(TODOS)
        wait_for_hits(OLD_PORT)
        for _ in range(starts):
            for kind, figures in found.items():
                # A write gives the scope another stamp, so nothing is kept that can be used.
                urlopen(f"http://127.0.0.1:{OLD_PORT}/todo", b"content=new", timeout=5).close()
                if kind == "pages in Redis":
                    _load(OLD_PORT, seconds=5).wait()
                figures.append(_measure(backends))
    for kind, figures in found.items():
        for name, seconds in zip(("ready", "warm"), zip(*figures, strict=True), strict=False):
            print(
                f"{kind:15} {name} after {median(seconds):.2f} s, at most {max(seconds):.2f} s "
                f"({starts} starts)"
            )
        print(f"{kind:15} steady at {median(rate for *_, rate in figures):,.0f} hits/s")


def _measure(backends: Backends) -> tuple[float, float, float]:
    """Return the seconds to the first answer and from there to 90 %, and the steady hits/s."""
    with service(*_flags(backends), port=NEW_PORT) as started:
        load = _load(NEW_PORT, LOAD_SECONDS)
        begun = time.perf_counter()
        seen = [(0.0, 0.0)]
        while load.poll() is None:
            time.sleep(WINDOW_SECONDS)
            hits = service_metrics(NEW_PORT)["hits"]
            seen.append((time.perf_counter() - begun, hits))
    rates = [
        (end, (hits - earlier) / (end - start)) for (start, earlier), (end, hits) in pairwise(seen)
    ]
    steady = median(rate for end, rate in rates if end > LOAD_SECONDS - STEADY_SECONDS)
    warm = next(end for end, rate in rates if rate >= WARM_PART * steady)
    return started.seconds_to_first_answer, warm, steady


def _flags(backends: Backends) -> tuple[str, ...]:
    addresses = (f"--mongo-uri={backends.mongo_uri}", f"--redis-url={backends.redis_url}")
    return (*addresses, "--no-access-log")


def _load(port: int, seconds: int) -> "subprocess.Popen[bytes]":
    command = RANDOM.command(cpu=choose_cpus()[1], connections=CONNECTIONS, port=port)
    return subprocess.Popen(  # noqa: S603 - wrk.
        [*command, f"-d{seconds}"], stdout=subprocess.DEVNULL
    )


if __name__ == "__main__":
    main()
