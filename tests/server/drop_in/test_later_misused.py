"""Owners that use a `Later` wrongly: nobody waits for ever because of it."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from http_serving import on_both_loops
from laters import GET, READY, Laters, receive, waiting
from recording_transport import RecordingTransport
from tornado.web import Application

from app.httpserver import Later, ReadyRequest, Server


def _raises() -> Iterable[Any]:
    yield READY
    raise ZeroDivisionError


@pytest.mark.parametrize("own", [[], [b"a: b\r\n"], [b"a: b\r\n"] * 3], ids=len)
@on_both_loops
async def test_where_not_everybody_has_an_own_nothing_is_sent_and_all_wait_on(
    own: list[bytes],
) -> None:
    laters = Laters()
    async with waiting(laters, GET, GET) as (server, _, clients):
        (later,) = laters.made
        with pytest.raises(ValueError, match="for 2 clients"):
            later.answer(READY, own)
        with pytest.raises(ValueError, match="for 2 clients"):
            later.answer_each([READY] * len(own))
        assert server.statistics.in_flight == 2
        later.decline()
        assert [each.body for each in await receive(*clients)] == [b"ordinary"] * 2


@on_both_loops
async def test_where_making_the_answers_fails_nothing_is_sent_and_all_wait_on() -> None:
    laters = Laters()
    async with waiting(laters, GET, GET) as (_, _, clients):
        (later,) = laters.made
        with pytest.raises(ZeroDivisionError):
            later.answer_each(_raises())
        later.answer(READY)
        assert [each.body for each in await receive(*clients)] == [b"ready"] * 2


@on_both_loops
async def test_what_is_each_ones_own_may_be_made_of_the_contexts() -> None:
    laters = Laters()
    async with waiting(laters, GET, GET) as (_, _, clients):
        (later,) = laters.made
        answer = READY._replace(own_at=READY.head.index(b"Content-Type"))
        later.answer(answer, (f"X-Own: {each.remote_ip}\r\n".encode() for each in later.contexts))
        assert [each.all("x-own") for each in await receive(*clients)] == [["127.0.0.1"]] * 2


@on_both_loops
async def test_a_closed_later_is_passed_over(expect_log: Callable[[str], None]) -> None:
    def closed(_: ReadyRequest) -> Later:
        later = Later()
        later.answer(READY)
        return later

    expect_log("the ready function returned")
    async with waiting(lambda _: Later(), GET) as (server, _, (client,)):
        server.ready = closed
        for later in tuple(server.statistics.laters):
            later.answer(READY)
        await client.receive()
        client.send(GET)
        assert (await client.receive()).body == b"ordinary"
        assert server.statistics.in_flight == 0


@on_both_loops
async def test_a_client_that_cannot_be_answered_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    laters = Laters()
    server = Server(Application(), ready=laters)
    first, *others = clients = [RecordingTransport(server) for _ in range(3)]
    for client in clients:
        client.send(GET)
    monkeypatch.setattr(first, "is_closing", lambda: 1 / 0)
    expect_log("ZeroDivisionError")
    laters.made[0].answer(READY)
    assert first.was_aborted
    assert all(client.received.endswith(b"ready") for client in others)
