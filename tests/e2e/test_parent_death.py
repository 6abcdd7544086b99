"""Whatever ends `run.py`, nothing of it stays behind and nothing acknowledged is lost."""

from collections.abc import Callable
from pathlib import Path

import psutil
from processes import processes_in
from service import DEADLINE_SECONDS, Service


def test_kill_9_ends_keeper_and_servers_and_the_next_start_has_every_acknowledged_todo(
    start: Callable[..., Service], data_dir: Path
) -> None:
    service = start()
    acknowledged = [service.add(f"todo {number}") for number in range(20)]
    running = processes_in(data_dir)
    # Beside run.py: the keeper, mongod and redis-server.
    assert len(running) == 4

    service.kill()

    _, left = psutil.wait_procs(running, DEADLINE_SECONDS)
    assert not left
    assert processes_in(data_dir) == []
    items = start().call("GET", "/v1/todos?limit=100").json()["items"]
    assert [item["id"] for item in items] == acknowledged[::-1]
