"""The short form of `make freshness`: real processes, recording clients, and a nemesis."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from freshness_campaign import Campaign, run_campaign
from freshness_faults import Troubles
from freshness_stack import running_stack


@pytest.fixture
def folder() -> Iterator[Path]:
    # Neither tmp_path nor TMPDIR: the path of a Unix socket has 107 bytes at most (unix(7)).
    folder = Path(tempfile.mkdtemp(prefix="freshness-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


def test_nobody_ever_reads_what_is_stale(folder: Path, mongo_uri: str) -> None:
    campaign = Campaign(seconds=8, clients=1, operations=4000)
    with running_stack(folder, processes=4, mongo_uri=mongo_uri) as stack:
        stack.wait_until_caches_are_used()
        report = run_campaign(campaign, stack)
    assert report.is_right, report.verdict.violations
    assert report.progress.errors == {}


def test_nobody_ever_reads_what_is_stale_while_processes_and_redis_are_killed_and_paused(
    folder: Path, mongo_uri: str
) -> None:
    campaign = Campaign(clients=1, faults=5, longest_pause_seconds=4)
    with running_stack(folder, processes=4, mongo_uri=mongo_uri) as stack:
        stack.wait_until_caches_are_used()
        report = run_campaign(campaign, stack)
    assert report.is_right, report.verdict.violations
    assert {fault.name for fault in report.faults} >= {
        *("service killed", "service paused"),
        *("Redis killed", "Redis flushed", "Redis paused"),
    }


@pytest.mark.parametrize("defence", ["proof", "marks"])
def test_a_service_without_one_of_its_defences_is_found_out(
    folder: Path, mongo_uri: str, monkeypatch: pytest.MonkeyPatch, defence: str
) -> None:
    monkeypatch.setenv("BROKEN_DEFENCE", defence)
    campaign = Campaign(seconds=2, clients=1, operations=1000)
    script = "tests/freshness_broken_service.py"
    with running_stack(folder, processes=2, mongo_uri=mongo_uri, script=script) as stack:
        stack.wait_until_caches_are_used()
        report = run_campaign(campaign, stack)
    assert report.verdict.counts["stale"] > 0


class FailingTroubles(Troubles):
    """Fails at its first fault."""

    def _do_all(self) -> None:
        raise AssertionError("the fault could not be done")


def test_a_fault_that_cannot_be_done_ends_the_run(folder: Path, mongo_uri: str) -> None:
    campaign = Campaign(faults=1, clients=1)
    with (
        running_stack(folder, processes=1, mongo_uri=mongo_uri) as stack,
        pytest.raises(AssertionError, match="could not be done"),
    ):
        run_campaign(campaign, stack, troubles=FailingTroubles())
