"""Every row of the table of bad inputs gets its answer: over a socket, and however it is split."""

import logging
from dataclasses import replace
from typing import Any

import pytest
from bad_input_rows import GOOD, Row, refused
from bad_inputs import ROWS, after_a_good_request, faults, outcome_over_a_socket, outcomes, splits
from echo_application import Ran
from visit import Run

from app.httpserver import Server

every_row = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
in_memory = pytest.mark.parametrize("loop_kind", ["asyncio"])


def test_every_row_is_answered_over_a_socket(run: Run, port: int, ran: Ran, server: Server):
    async def send_all() -> list[str]:
        return [
            fault
            for row in ROWS
            for fault in faults(row, [await outcome_over_a_socket(port, ran, row)])
        ]

    assert not run(send_all())


@in_memory
@every_row
def test_a_row_is_answered_the_same_however_it_is_split(
    run: Run, server: Server, ran: Ran, row: Row
):
    assert not faults(row, run(outcomes(server, ran, row)))


@in_memory
@every_row
def test_a_row_is_answered_after_a_good_request_however_it_is_split(
    run: Run, server: Server, ran: Ran, row: Row
):
    row = after_a_good_request(row)
    assert not faults(row, run(outcomes(server, ran, row)))


@in_memory
def test_only_refused_rows_are_counted_as_refused(run: Run, server: Server, ran: Ran):
    (row,) = (row for row in ROWS if row.name == "1 no Host")
    found = run(outcomes(server, ran, row))
    assert server.statistics.refused == {400: len(found)}
    assert server.statistics.requests == 0


@in_memory
def test_a_refusal_logs_nothing(
    run: Run, port: int, server: Server, ran: Ran, caplog: pytest.LogCaptureFixture
):
    async def send_all() -> None:
        for row in ROWS:
            await outcome_over_a_socket(port, ran, row)

    caplog.set_level(logging.DEBUG)
    run(send_all())
    assert {400, 405, 413, 414, 417, 431, 501, 505} <= set(server.statistics.refused)
    assert not caplog.records


WRONG = {
    "another status": {"answers": ((201,),)},
    "an answer too many": {"answers": ((200,), (200,))},
    "an answer too few": {"answers": ()},
    "another handler": {"ran": ("GET /admin",)},
    "a handler too few": {"ran": ()},
    "a closed connection": {"is_closed": True},
}


@in_memory
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_the_comparison_catches(run: Run, server: Server, ran: Ran, wrong: dict[str, Any]):
    right = Row("a good request", GOOD, ((200,),), ("GET /",))
    found = run(outcomes(server, ran, right))
    assert not faults(right, found)
    assert faults(replace(right, **wrong), found)


@in_memory
def test_the_comparison_catches_a_split_that_matters(run: Run, server: Server, ran: Ran):
    right = Row("a good request", GOOD, ((200,),), ("GET /",))
    found = run(outcomes(server, ran, right))
    other = replace(found[0], answers=(replace(found[0].answers[0], body=b"hallo"),))
    assert faults(right, [*found, other]) == ["a good request: 2 outcomes of one input"]


def test_a_short_input_is_split_at_every_point():
    assert [list(map(len, pieces)) for pieces in splits(b"abcd")] == [
        *([4], [1, 3], [2, 2], [3, 1]),
        [1, 1, 1, 1],
    ]


def test_a_good_request_in_front_and_the_ends_of_what_is_behind_it_are_split_at_every_point():
    row = after_a_good_request(Row("many", b"x" * 100, ()))
    first, size = len(GOOD), len(row.data)
    points = {len(pieces[0]) for pieces in splits(row.data, row.good_bytes)}
    assert {*range(1, first + 4), *range(size - 4, size)} <= points
    assert len({point for point in points if first + 4 <= point < size - 4}) == 12


def test_what_is_smuggled_behind_an_input_is_split_at_both_ends():
    row = refused("many", GOOD)
    size = len(row.data)
    points = {len(pieces[0]) for pieces in splits(row.data)}
    assert {*range(1, len(GOOD) + 4), *range(size - 4, size)} <= points
    assert len(points) < size
