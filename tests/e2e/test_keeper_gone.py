"""Whose embedded servers are taken away says so, and gets them back where that can be."""

import shutil
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import psutil
from processes import processes_in
from service import DEADLINE_SECONDS, Service

RETURN_SECONDS = 300.0
"""For mongod to recover; it takes two seconds."""


def keeper_of(data_dir: Path) -> psutil.Process:
    (keeper,) = [one for one in processes_in(data_dir) if "app.embedded.keeper" in one.cmdline()]
    return keeper


def wait_until_ready(service: Service) -> None:
    give_up_at = monotonic() + RETURN_SECONDS
    while service.call("GET", "/readyz").status != 200:
        assert monotonic() < give_up_at, service.log
        sleep(0.05)


def test_a_keeper_that_is_killed_is_replaced_and_nothing_acknowledged_is_lost(
    start: Callable[..., Service], data_dir: Path
) -> None:
    service = start()
    for number in range(2):
        service.add(f"todo {number}")
        killed = keeper_of(data_dir)
        killed.kill()
        service.wait_for_log("the keeper of the embedded servers had ended")
        service.raw_log.clear()
        wait_until_ready(service)
        assert keeper_of(data_dir) != killed
    assert service.contents() == ["todo 1", "todo 0"]
    assert service.stop() == 0


def test_a_data_directory_that_is_removed_ends_the_service_and_its_servers_with_the_reason(
    start: Callable[..., Service], data_dir: Path
) -> None:
    service = start()
    running = processes_in(data_dir)
    shutil.rmtree(data_dir, ignore_errors=True)  # Something may be written meanwhile.
    assert service.wait() == 1
    assert f"The data directory {data_dir} was removed or moved" in service.log[-1]
    _, left = psutil.wait_procs(running, DEADLINE_SECONDS)
    assert left == []


def test_a_data_directory_that_is_moved_ends_the_service_and_keeps_its_todos(
    start: Callable[..., Service], data_dir: Path
) -> None:
    service = start()
    service.add("kept")
    running = processes_in(data_dir)
    data_dir.rename(data_dir.with_name("moved"))
    assert service.wait() == 1
    assert f"The data directory {data_dir} was removed or moved" in service.log[-1]
    _, left = psutil.wait_procs(running, DEADLINE_SECONDS)
    assert left == []
    data_dir.with_name("moved").rename(data_dir)
    assert start().contents() == ["kept"]
