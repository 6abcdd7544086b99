"""What happens to connections that wait for a later answer: they end, drain, pipeline, stall."""

import asyncio
import ssl
from http import HTTPStatus

import pytest
from clock import Clock as Seconds
from http_client import Client, request
from http_serving import on_both_loops, only_connection, turn_loop, until
from laters import GET, NEWER, NOW, READY, AnswerBy, Laters, in_both_ways, own, receive, waiting
from raw_http import read_answers
from recording_transport import RecordingTransport
from tornado.web import Application
from visit import Run, Visit

from app.httpserver import Answer, Later, Server

LONG_SECONDS = 120.0
LARGE = Answer.build(HTTPStatus.OK, [], b"a" * 200_000)


@pytest.fixture
def laters(server: Server) -> Laters:
    server.ready = laters = Laters()
    return laters


@in_both_ways
@on_both_loops
async def test_a_client_that_has_gone_is_passed_over(answer: AnswerBy) -> None:
    laters = Laters()
    async with waiting(laters, GET, GET, GET) as (server, _, (first, gone, last)):
        gone.reset()
        await until(lambda: server.statistics.connections == 2)
        answer(laters.made[0], "a", "b", "c")
        assert own(await receive(first, last)) == ["a", "c"]
        assert server.statistics.ready_answers == 2


@pytest.mark.parametrize(
    "end",
    [
        lambda later: later.answer(READY),
        lambda later: later.answer_each([READY] * 2),
        Later.decline,
    ],
)
@on_both_loops
async def test_clients_that_have_gone_count_until_their_answer_comes(end: AnswerBy) -> None:
    laters = Laters()
    async with waiting(laters, GET, GET) as (server, _, clients):
        for client in clients:
            client.reset()
        await until(lambda: server.statistics.connections == 0)
        assert server.statistics.in_flight == 2
        end(laters.made[0])
        assert server.statistics.in_flight == 0
        assert not server.statistics.laters
        await turn_loop()
        assert server.statistics.requests == 0


@in_both_ways
@on_both_loops
async def test_a_client_whose_connection_is_about_to_be_lost_is_passed_over(
    answer: AnswerBy,
) -> None:
    laters = Laters()
    server = Server(Application(), ready=laters)
    clients = [RecordingTransport(server) for _ in range(2)]
    for client in clients:
        client.send(GET)
    clients[0].abort()
    answer(laters.made[0], "a", "b")
    assert server.statistics.ready_answers == 1
    assert b"X-Own: b" in clients[1].received


@in_both_ways
@on_both_loops
async def test_a_tls_client_that_closes_before_its_ready_answer_is_no_error(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, answer: AnswerBy
) -> None:
    laters = Laters()
    async with waiting(laters, ssl_options=server_tls) as (server, port, _):
        async with await Client.connect(port, tls=client_tls) as client:
            client.send(GET)
            await until(lambda: bool(laters.made))
        await until(lambda: all(each.is_closing for each in server._connections))
        answer(laters.made[0], "a")
        await until(lambda: not server.statistics.connections)
        assert server.statistics.ready_answers == 0


@in_both_ways
@on_both_loops
async def test_a_client_that_has_closed_its_side_is_answered_and_closed(answer: AnswerBy) -> None:
    laters = Laters()
    async with waiting(laters, GET) as (server, _, (client,)):
        client.half_close()
        await until(lambda: only_connection(server).at_eof)
        answer(laters.made[0], "a")
        assert (await client.receive()).body == b"ready"
        assert await client.rest() == b""


@in_both_ways
@on_both_loops
async def test_an_answer_that_comes_while_the_server_drains_closes_its_connections(
    answer: AnswerBy,
) -> None:
    laters = Laters()
    async with waiting(laters, GET, GET) as (server, _, clients):
        draining = asyncio.create_task(server.drain(LONG_SECONDS))
        await until(lambda: server.is_draining)
        answer(laters.made[0], "a", "b")
        answers = await receive(*clients)
        assert [each.closes for each in answers] == [True, True]
        assert own(answers) == ["a", "b"]
        assert await draining is True


@on_both_loops
async def test_later_answers_do_not_overtake_each_other() -> None:
    laters = Laters()
    async with waiting(laters, GET * 2) as (_, _, (client,)):
        await turn_loop()
        assert len(laters.made) == 1
        laters.made[0].answer(READY)
        await until(lambda: len(laters.made) == 2)
        laters.made[1].answer(NEWER)
        assert [each.body for each in await receive(client, client)] == [b"ready", b"newer"]


@in_both_ways
@on_both_loops
async def test_pipelined_requests_wait_behind_one_that_waits(answer: AnswerBy) -> None:
    laters = Laters()
    post = request("/", method="POST", body=b"x")
    async with waiting(laters, GET, GET + NOW + post + NOW) as (server, _, (first, second)):
        await turn_loop()
        assert server.statistics.requests == 0
        answer(laters.made[0], "a", "b")
        answers = await receive(first, *[second] * 4)
        assert own(answers) == ["a", "b"]
        assert [each.body for each in answers[1:]] == [b"ready", b"newer", b"ordinaryx", b"newer"]


@in_both_ways
@on_both_loops
async def test_more_than_is_held_may_come_behind_a_request_that_waits(answer: AnswerBy) -> None:
    laters, behind = Laters(), 5_000
    async with waiting(laters, GET) as (server, _, (client,)):
        client.send(NOW * behind)
        await until(lambda: only_connection(server)._is_reading_paused)
        answer(laters.made[0], "a")
        answers = await receive(*[client] * (1 + behind))
        assert [each.body for each in answers] == [b"ready", *[b"newer"] * behind]


def test_a_slow_reader_gets_all_of_an_answer_that_it_shares(
    visit: Visit, run: Run, server: Server, seconds: Seconds, laters: Laters
):
    other = Visit(run, server, seconds)
    slow = visit.slow_reader()
    for each in (visit, other):
        each.send(GET)
    visit.send(NOW)
    laters.made[0].answer(LARGE)
    visit.wait(1.0)
    assert server.statistics.ready_answers == 2
    slow.take(len(LARGE.body) * 2)
    visit.wait(1.0)
    slow.take(len(LARGE.body))
    assert [each.body for each in read_answers(bytes(slow.received))] == [LARGE.body, b"newer"]
    assert read_answers(bytes(other.client.received))[0].body == LARGE.body


def test_a_client_that_does_not_read_an_answer_that_it_shares_is_cut_off(
    visit: Visit, run: Run, server: Server, seconds: Seconds, laters: Laters
):
    other = Visit(run, server, seconds)
    slow = visit.slow_reader()
    for each in (visit, other):
        each.send(GET)
    laters.made[0].answer(LARGE)
    visit.wait(29.0)
    assert not slow.was_aborted
    visit.wait(2.0)
    assert slow.was_aborted
    assert not other.client.has_ended


def test_a_client_waits_for_its_answer_as_long_as_it_takes(visit: Visit, laters: Laters):
    visit.send(GET)
    visit.wait(100.0)
    assert not visit.client.has_ended
    laters.made[0].answer(READY)
    assert visit.statuses == [200]


@in_both_ways
@pytest.mark.parametrize("waited", [0.0, 5.0, 100.0])
def test_an_idle_connection_is_closed_in_time_after_a_later_answer_too(
    visit: Visit, laters: Laters, waited: float, answer: AnswerBy
):
    visit.send(GET)
    visit.wait(waited)
    answer(laters.made[0], "a")
    visit.wait(74.0)
    assert not visit.client.has_ended
    visit.wait(2.0)
    assert visit.client.has_ended
    assert visit.statuses == [200]


def test_half_a_head_behind_a_request_that_waits_has_its_time_after_the_answer(
    visit: Visit, laters: Laters
):
    visit.send(GET + GET[:9])
    visit.wait(100.0)
    laters.made[0].answer(READY)
    visit.wait(10.0)
    assert visit.statuses == [200]
    visit.wait(2.0)
    assert visit.statuses == [200, 408]
