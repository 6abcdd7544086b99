"""Answers that a ready function gives later, to all who wait for the same."""

from collections.abc import Callable
from ipaddress import ip_network

import pytest
from http_client import Client, request
from http_serving import on_both_loops, until
from laters import GET, NEWER, NOW, READY, AnswerBy, Laters, in_both_ways, own, receive, waiting
from recording_transport import RecordingTransport
from tornado.web import Application

from app.httpserver import Answer, Later, Options, ReadyRequest, Server

FIELDS = ["x-own", "content-type", "content-length", "date"]


@on_both_loops
async def test_clients_who_send_the_same_head_share_an_answer_that_is_asked_for_once() -> None:
    laters = Laters()
    async with waiting(laters, GET, GET, GET) as (_, _, clients):
        (later,) = laters.made
        later.answer(READY)
        assert [each.body for each in await receive(*clients)] == [b"ready"] * 3


@on_both_loops
async def test_a_pipelined_request_shares_an_answer_too() -> None:
    laters = Laters()
    async with waiting(laters, GET, NOW + GET) as (_, _, (first, second)):
        (later,) = laters.made
        later.answer(READY)
        answers = await receive(first, second, second)
        assert [each.body for each in answers] == [b"ready", b"newer", b"ready"]


@on_both_loops
async def test_clients_whose_heads_are_not_remembered_are_answered_too() -> None:
    later, options = Later(), Options(remembered_heads=0)
    async with waiting(lambda _: later, GET, GET, options=options) as (_, _, clients):
        later.answer(READY)
        assert [each.body for each in await receive(*clients)] == [b"ready"] * 2


@in_both_ways
@on_both_loops
async def test_clients_who_send_different_heads_can_share_an_answer(answer: AnswerBy) -> None:
    later = Later()
    async with waiting(lambda _: later, GET, request("/other"), GET) as (_, _, clients):
        answer(later, "a", "b", "c")
        assert own(await receive(*clients)) == ["a", "b", "c"]


@in_both_ways
@on_both_loops
async def test_each_client_gets_what_is_its_own_in_its_place(answer: AnswerBy) -> None:
    laters = Laters()
    async with waiting(laters, GET, GET, GET) as (_, _, clients):
        answer(laters.made[0], "a", "b", "c")
        answers = await receive(*clients)
        assert own(answers) == ["a", "b", "c"]
        assert [[name for name, _ in each.fields] for each in answers] == [FIELDS] * 3
        assert [each.body for each in answers] == [b"ready"] * 3


@on_both_loops
async def test_who_asks_after_the_close_gets_a_newer_answer() -> None:
    laters = Laters()
    async with waiting(laters, GET) as (server, port, (early,)):
        laters.made[0].close()
        async with await Client.connect(port) as late:
            late.send(GET)
            await until(lambda: server.statistics.in_flight == 2)
            laters.made[0].answer(READY)
            laters.made[1].answer(NEWER)
            assert [each.body for each in await receive(early, late)] == [b"ready", b"newer"]


@on_both_loops
async def test_an_answer_closes_what_was_open() -> None:
    laters = Laters()
    async with waiting(laters, GET) as (_, _, (client,)):
        laters.made[0].answer(READY)
        await client.receive()
        client.send(GET)
        await until(lambda: len(laters.made) == 2)
        laters.made[1].answer(NEWER)
        assert (await client.receive()).body == b"newer"


@on_both_loops
async def test_a_head_may_be_answered_later_and_then_at_once_and_then_by_the_application() -> None:
    later = Later()
    returned = iter((later, NEWER, None))
    async with waiting(lambda _: next(returned), GET) as (_, _, (client,)):
        later.answer(READY)
        client.send(GET + GET)
        answers = await receive(client, client, client)
        assert [each.body for each in answers] == [b"ready", b"newer", b"ordinary"]


@in_both_ways
@on_both_loops
async def test_head_gets_no_body_of_an_answer_that_it_shares(answer: AnswerBy) -> None:
    later = Later()
    returned = iter((later, later, NEWER))
    asked = GET, request("/", method="HEAD")
    async with waiting(lambda _: next(returned), *asked) as (_, _, (first, second)):
        answer(later, "a", "b")
        answers = [await first.receive(), await second.receive(method="HEAD")]
        assert [each.all("content-length") for each in answers] == [["5"], ["5"]]
        assert own(answers) == ["a", "b"]
        assert (await second.call(NOW)).body == b"newer"


@in_both_ways
@on_both_loops
async def test_only_a_client_that_closes_is_closed_after_an_answer_that_it_shares(
    answer: AnswerBy,
) -> None:
    later = Later()
    returned = iter((later, later, NEWER))
    asked = GET, request("/", "Connection: close")
    async with waiting(lambda _: next(returned), *asked) as (_, _, (first, second)):
        answer(later, "a", "b")
        answers = await receive(first, second)
        assert [each.closes for each in answers] == [False, True]
        assert own(answers) == ["a", "b"]
        assert await second.rest() == b""
        assert (await first.call(NOW)).body == b"newer"


@pytest.mark.parametrize(
    "unusual",
    [
        request("/", "Range: bytes=0-1"),
        request("/", "Connection: keep-alive", version="1.0"),
        request("/", body=b"x"),
        request("/", method="POST"),
        request("/", method="POST", body=b"x"),
    ],
)
@on_both_loops
async def test_an_unusual_request_shares_no_answer(unusual: bytes) -> None:
    laters = Laters()
    async with waiting(laters, GET) as (_, port, _), await Client.connect(port) as client:
        # Twice, for a head that is known takes another way through the server.
        for _ in range(2):
            assert (await client.call(unusual)).body.startswith(b"ordinary")
        assert [later.clients for later in laters.made] == [1]


@in_both_ways
@on_both_loops
async def test_posts_with_the_same_head_share_no_answer(answer: AnswerBy) -> None:
    laters, options = Laters(), Options(ready_body_bytes=10)
    bodies = b"a", b"b"
    posts = [request("/", method="POST", body=body) for body in bodies]
    async with waiting(laters, *posts, options=options) as (_, _, clients):
        for later, body in zip(laters.made, bodies, strict=True):
            answer(later, body.decode())
        assert own(await receive(*clients)) == ["a", "b"]


@on_both_loops
async def test_the_application_answers_those_who_are_declined() -> None:
    laters = Laters()
    async with waiting(laters, GET, GET + NOW) as (server, _, (first, second)):
        laters.made[0].decline()
        answers = await receive(first, second, second)
        assert [each.body for each in answers] == [b"ordinary", b"ordinary", b"newer"]
        assert server.statistics.in_flight == 0


@on_both_loops
async def test_the_application_is_given_the_body_of_a_post_that_is_declined() -> None:
    laters, options = Laters(), Options(ready_body_bytes=10)
    post = request("/", method="POST", body=b" post")
    async with waiting(laters, post + NOW, options=options) as (_, _, (client,)):
        laters.made[0].decline()
        answers = await receive(client, client)
        assert [each.body for each in answers] == [b"ordinary post", b"newer"]


@on_both_loops
async def test_the_contexts_are_those_that_a_trusted_proxy_tells() -> None:
    later, options = Later(), Options(trusted_proxies=(ip_network("127.0.0.0/8"),))
    asked = (
        request("/", "X-Forwarded-For: 203.0.113.2", "X-Forwarded-Proto: https"),
        request("/", "X-Forwarded-For: 203.0.113.1"),
        GET,
    )
    async with waiting(lambda _: later, *asked, options=options):
        assert [(each.remote_ip, each.protocol) for each in later.contexts] == [
            ("203.0.113.2", "https"), ("203.0.113.1", "http"), ("127.0.0.1", "http"),
        ]  # fmt: skip


@on_both_loops
async def test_the_contexts_of_those_who_send_the_same_head_are_in_their_order() -> None:
    laters = Laters()
    server = Server(Application(), ready=laters)
    addresses = [f"192.0.2.{number}" for number in (3, 1, 2)]
    for address in addresses:
        RecordingTransport(server, ip=address).send(GET)
    assert [each.remote_ip for each in laters.made[0].contexts] == addresses


@on_both_loops
async def test_the_length_is_how_many_wait() -> None:
    laters = Laters()
    async with waiting(laters, GET, GET):
        (later,) = laters.made
        assert later.clients == 2
        later.answer(READY)
        assert later.clients == 0


@on_both_loops
async def test_a_ready_function_may_fail_while_others_wait(
    expect_log: Callable[[str], None],
) -> None:
    later = Later()

    def failing(asked: ReadyRequest) -> Answer | Later:
        if asked.target == "/":
            return later
        raise ZeroDivisionError

    expect_log("ZeroDivisionError")
    async with waiting(failing, GET) as (_, port, (first,)), await Client.connect(port) as second:
        assert (await second.call(request("/other"))).body == b"ordinary"
        later.answer(READY)
        assert (await first.receive()).body == b"ready"
