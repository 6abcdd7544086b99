"""The short form of `make faults`: what may happen to a node under load, each a few times."""

import pytest
from fault_campaign import Result
from fault_rows import ROWS
from faults import run_rows

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def results() -> list[Result]:
    """All rows that have a short form, on nodes of their own."""
    return run_rows(ROWS, short=True, times=None, seed=1, on_result=lambda _: None)


def test_nothing_stale_is_read_and_no_acknowledged_write_is_lost(results: list[Result]) -> None:
    assert {result.row.name: result.violations for result in results if result.violations} == {}
    assert [result.row.name for result in results if result.lost] == []


def test_requests_are_answered_in_time_and_only_with_what_clients_may_get(
    results: list[Result],
) -> None:
    # Not how many errors there were: a single one is too large a share of so few requests.
    broken = {
        result.row.name: wrong
        for result in results
        if (wrong := [words for words in result.broken if not words.startswith("errors")])
    }
    assert broken == {}


def test_every_fault_was_done_so_often_as_it_should_be(results: list[Result]) -> None:
    done = {result.row.name: result.times for result in results}
    assert done == {row.name: row.short_times for row in ROWS if row.short_times}
