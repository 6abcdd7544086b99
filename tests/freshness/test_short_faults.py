"""The short form of `make faults`: what may happen to a node under load, each a few times."""

import pytest
from fault_campaign import Result
from fault_rows import ROWS
from faults import run_rows


@pytest.fixture(scope="module")
def results() -> list[Result]:
    """All rows that have a short form, on nodes of their own."""
    return run_rows(ROWS, short=True, times=None, seed=1, on_result=lambda _: None)


def test_nothing_stale_is_read_nothing_is_lost_and_no_answer_is_one_that_nobody_should_get(
    results: list[Result],
) -> None:
    # Not the bars that a busy machine misses, such as seconds: `make faults` looks at those.
    assert {result.row.name: result.broken for result in results if result.broken} == {}


def test_every_fault_was_done_so_often_as_it_should_be(results: list[Result]) -> None:
    done = {result.row.name: result.times for result in results}
    assert done == {row.name: row.short_times for row in ROWS if row.short_times}
