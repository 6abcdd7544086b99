"""A POST whose body came with its head may be answered by the ready function."""

import asyncio
from typing import Any

import pytest
from http_client import Client, request
from http_serving import on_both_loops, turn_loop, until
from laters import GET, NEWER, READY, Laters, waiting

from app.httpserver import Answer, Later, Options, ReadyRequest

BODY = b"x" * 100
OPTIONS = Options(ready_body_bytes=len(BODY))


def post(body: bytes, *fields: str) -> bytes:
    return request("/", *fields, method="POST", body=body)


class Asked:
    """A ready function that answers at once and notes what it is asked."""

    def __init__(self) -> None:
        self.seen: list[ReadyRequest] = []

    def __call__(self, asked: ReadyRequest) -> Answer:
        self.seen.append(asked)
        return READY


async def ask(ready: Any, *parts: bytes, **arguments: Any) -> bytes:
    """Send a request in parts, each in a write of its own; return the body of the answer."""
    arguments.setdefault("options", OPTIONS)
    async with (
        waiting(ready, **arguments) as (_, port, _),
        await Client.connect(port) as client,
    ):
        for part in parts:
            client.send(part)
            await turn_loop()
        return (await client.receive()).body


@on_both_loops
async def test_the_ready_function_gets_the_body_and_the_fields_it_asked_for() -> None:
    ready = Asked()
    fields = ("content-type", "x-request-id")
    sent = post(BODY, "Content-Type: text/plain")
    assert await ask(ready, sent, ready_fields=fields) == b"ready"
    assert ready.seen == [ReadyRequest("POST", "/", ("text/plain", None), BODY)]


@pytest.mark.parametrize("fill", [b"", b"x"], ids=["at the limit", "above"])
@on_both_loops
async def test_a_body_above_the_limit_goes_to_the_application(fill: bytes) -> None:
    ready = Asked()
    expected = b"ordinary" + BODY + fill if fill else b"ready"
    assert await ask(ready, post(BODY + fill)) == expected


@on_both_loops
async def test_the_limit_of_all_bodies_holds_for_these_too() -> None:
    ready = Asked()
    options = Options(ready_body_bytes=len(BODY), max_body_bytes=len(BODY) - 1)
    async with (
        waiting(ready, options=options) as (_, port, _),
        await Client.connect(port) as client,
    ):
        assert (await client.call(post(BODY))).status == 413
    assert ready.seen == []


@on_both_loops
async def test_without_a_limit_it_is_asked_about_no_post() -> None:
    ready = Asked()
    assert await ask(ready, post(b"x"), options=Options()) == b"ordinaryx"
    assert ready.seen == []


@pytest.mark.parametrize(
    "unusual",
    [
        request("/", "Transfer-Encoding: chunked", method="POST") + b"1\r\nx\r\n0\r\n\r\n",
        post(b"x", "Expect: 100-continue"),
        post(b"x", "Content-Encoding: identity"),
        post(b"x", 'If-Match: "1"'),
        request("/", "Connection: keep-alive", method="POST", body=b"x", version="1.0"),
        post(b""),
    ],
)
@on_both_loops
async def test_an_unusual_post_goes_to_the_application(unusual: bytes) -> None:
    ready = Asked()
    assert (await ask(ready, unusual)).startswith(b"ordinary")
    assert ready.seen == []


@on_both_loops
async def test_a_body_that_comes_behind_its_head_goes_to_the_application_whole() -> None:
    ready = Asked()
    whole = post(BODY)
    assert await ask(ready, whole[:-1], whole[-1:]) == b"ordinary" + BODY
    assert ready.seen == []


@on_both_loops
async def test_equal_heads_share_no_answer() -> None:
    laters = Laters()
    async with waiting(laters, post(b"a"), post(b"b"), options=OPTIONS) as (_, _, clients):
        assert [later.clients for later in laters.made] == [1, 1]
        for later, answer in zip(laters.made, (READY, NEWER), strict=True):
            later.answer(answer)
        assert [(await each.receive()).body for each in clients] == [b"ready", b"newer"]


@on_both_loops
async def test_a_declined_post_reaches_the_application_with_its_body_and_what_came_behind() -> None:
    laters = Laters()
    async with waiting(laters, post(b"a") + GET, options=OPTIONS) as (_, _, (client,)):
        laters.made[0].decline()
        assert (await client.receive()).body == b"ordinarya"
        await until(lambda: len(laters.made) == 2)
        laters.made[1].answer(READY)
        assert (await client.receive()).body == b"ready"


@on_both_loops
async def test_posts_in_a_pipeline_are_answered_one_by_one() -> None:
    laters = Laters()
    async with waiting(laters, post(b"a") + post(b"b"), options=OPTIONS) as (_, _, (client,)):
        for number in range(2):
            await until(lambda: len(laters.made) == number + 1)  # noqa: B023 - called at once.
            await asyncio.sleep(0)
            assert len(laters.made) == number + 1
            laters.made[number].answer(READY)
            assert (await client.receive()).body == b"ready"


@on_both_loops
async def test_an_idle_connection_keeps_no_body() -> None:
    laters = Laters()
    async with waiting(laters, post(BODY), options=OPTIONS) as (server, _, (client,)):
        laters.made[0].answer(READY)
        await client.receive()
        (connection,) = server._connections
        assert not connection._held


@on_both_loops
async def test_a_post_whose_client_goes_before_its_answer_is_answered_to_nobody() -> None:
    laters = Laters()
    async with waiting(laters, post(BODY), options=OPTIONS) as (server, _, (client,)):
        client.reset()
        await until(lambda: not server.statistics.connections)
        laters.made[0].answer(READY)
        assert server.statistics.ready_answers == server.statistics.in_flight == 0


@on_both_loops
async def test_a_drain_waits_for_the_answer_to_a_post() -> None:
    later = Later()
    async with waiting(lambda _: later, post(BODY), options=OPTIONS) as (server, _, (client,)):
        draining = asyncio.create_task(server.drain(20.0))
        await until(lambda: server.is_draining)
        later.answer(READY)
        answer = await client.receive()
        assert answer.body == b"ready"
        assert answer.closes
        assert await draining is True
