"""The fuzzer in a short form; ``make fuzz`` runs the long one."""

import asyncio

import pytest
from fuzz import Report, fuzz, shorten
from fuzz_comparison import Comparer, Finding
from fuzz_others import read_h11
from fuzz_readings import REFUSED, Step

_INPUTS = 4000
_SEED = 20261120

_STREAM = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"


async def _fuzz() -> Report:
    report = await fuzz(seed=_SEED, goes_on=lambda report: report.inputs < _INPUTS)
    for kind in report.failures:
        await shorten(kind)
    return report


@pytest.fixture(scope="module")
def report() -> Report:
    """What some thousands of streams have shown."""
    return asyncio.run(_fuzz())


def test_every_difference_to_h11_and_tornado_is_explained(report: Report):
    failures = [(kind.finding, kind.example, kind.cuts) for kind in report.failures]
    assert not failures


def test_all_outcomes_are_tried_out(report: Report):
    assert report.outcomes["accepted"] > _INPUTS / 3
    assert report.outcomes["waiting"] > _INPUTS / 10
    assert report.outcomes["refused 400"] > _INPUTS / 10
    statuses = {413, 414, 417, 431, 405, 501, 505}
    assert all(report.outcomes[f"refused {status}"] for status in statuses)


async def _read_a_byte_less(stream: bytes) -> list[Step]:
    return [
        step._replace(request=step.request._replace(body=step.request.body[:-1]))
        if step.request
        else step
        for step in await read_h11(stream)
    ]


async def _refuse(stream: bytes) -> list[Step]:
    return [Step(REFUSED, status=400)]


def _findings(*others: object) -> list[Finding]:
    async def compare() -> list[Finding]:
        named = {f"other {number}": other for number, other in enumerate(others)}
        outcome = await Comparer(named).compare(_STREAM, [])
        return outcome.findings

    return asyncio.run(compare())


def test_another_body_is_a_failure():
    findings = _findings(_read_a_byte_less, read_h11)
    assert [finding.rule for finding in findings if finding.is_failure] == ["UNEXPLAINED (body)"]


def test_a_request_that_all_others_refuse_is_a_failure():
    assert "against both" in [finding.rule for finding in _findings(_refuse, _refuse)]
    assert "against both" not in [finding.rule for finding in _findings(_refuse, read_h11)]


def test_servers_that_agree_differ_in_nothing():
    assert _findings(read_h11) == []
