"""Measures the time from start to the first 200: ``python -m benchmarks.start``."""

import argparse
import tempfile
from pathlib import Path
from statistics import median

from app.embedded import join_servers
from benchmarks.service import service

PORT = 8765


def main() -> None:
    """Start the service many times, in turn on each of the three."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--starts", type=int, default=10, help="of each kind (default 10)")
    starts = parser.parse_args().starts
    seconds: dict[str, list[float]] = {
        "empty data directory": [],
        "filled data directory": [],
        "running servers": [],
    }
    with tempfile.TemporaryDirectory() as base, join_servers(Path(base) / "running") as servers:
        for number in range(starts):
            # The second start waits for the servers of the first to stop, as a user's would.
            own = (f"--data-dir={base}/{number}",)
            shared = (f"--mongo-uri={servers.mongo_uri}", f"--redis-url={servers.redis_url}")
            for times, flags in zip(seconds.values(), (own, own, shared), strict=True):
                with service(*flags, port=PORT) as started:
                    times.append(started.seconds_to_first_answer)
    for name, times in seconds.items():
        print(
            f"{name:22} median {median(times):.2f} s, "
            f"fastest {min(times):.2f} s, slowest {max(times):.2f} s ({starts} starts)"
        )


if __name__ == "__main__":
    main()
