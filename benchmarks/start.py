"""Measures the time from start to the first 200: ``python -m benchmarks.start``."""

import argparse
import tempfile
from pathlib import Path
from statistics import median

from app.embedded import join_servers
from benchmarks.service import service

PORT = 8765


def main() -> None:
    """Start the service many times, in turn on empty directories and on running servers."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--starts", type=int, default=10, help="of each kind (default 10)")
    starts = parser.parse_args().starts
    empty, running = [], []
    with tempfile.TemporaryDirectory() as base, join_servers(Path(base) / "running") as servers:
        for number in range(starts):
            with service(f"--data-dir={base}/{number}", port=PORT) as started:
                empty.append(started.seconds_to_first_answer)
            addresses = (f"--mongo-uri={servers.mongo_uri}", f"--redis-url={servers.redis_url}")
            with service(*addresses, port=PORT) as started:
                running.append(started.seconds_to_first_answer)
    for name, seconds in (("empty data directory", empty), ("running servers", running)):
        print(
            f"{name:22} median {median(seconds):.2f} s, "
            f"fastest {min(seconds):.2f} s, slowest {max(seconds):.2f} s ({starts} starts)"
        )


if __name__ == "__main__":
    main()
