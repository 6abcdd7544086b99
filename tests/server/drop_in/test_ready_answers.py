"""Answers that a ready function gives in place of the application."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import pytest
from http_client import Client, request
from http_serving import Gate, Gated, on_both_loops, serving, turn_loop, until
from tornado.web import Application, RequestHandler

from app.httpserver import Answer, Ready, ReadyRequest, Server

READY = Answer.build(HTTPStatus.OK, [("Content-Type", "text/plain")], b"ready")


class Ordinary(RequestHandler):
    """The ordinary road."""

    def get(self) -> None:
        self.write("ordinary")

    head = post = get


@asynccontextmanager
async def _serving(
    ready: Ready, gate: Gate | None = None, **arguments: Any
) -> AsyncIterator[tuple[Server, int]]:
    routes: list[Any] = [("/", Ordinary)]
    if gate is not None:
        routes.append((r"/gated/(\w*)", Gated, {"gate": gate}))
    async with serving(Application(routes), ready=ready, **arguments) as (server, port):
        yield server, port


def _at_once(asked: ReadyRequest) -> Answer | None:
    return READY if asked.target == "/" else None


async def _call(ready: Ready, *requests: bytes) -> list[bytes]:
    async with _serving(ready) as (_, port), await Client.connect(port) as client:
        client.send(b"".join(requests))
        return [(await client.receive()).body for _ in requests]


@on_both_loops
async def test_a_ready_answer_is_sent_whole() -> None:
    async with _serving(_at_once) as (_, port), await Client.connect(port) as client:
        for _ in range(3):
            answer = await client.call(request("/"))
            assert (answer.status, answer.body) == (200, b"ready")
            assert [name for name, _ in answer.fields] == ["content-type", "content-length", "date"]
            parsedate_to_datetime(answer.all("date")[0])


@on_both_loops
async def test_none_sends_a_request_to_the_application() -> None:
    assert await _call(lambda _: None, *[request("/")] * 3) == [b"ordinary"] * 3


@on_both_loops
async def test_a_ready_function_that_fails_is_logged_and_the_application_answers(
    expect_log: Callable[[str], None],
) -> None:
    def failing(asked: ReadyRequest) -> Answer:
        raise ZeroDivisionError

    expect_log("ZeroDivisionError")
    assert await _call(failing, request("/")) == [b"ordinary"]


@on_both_loops
async def test_head_gets_the_length_and_no_body() -> None:
    async with _serving(_at_once) as (_, port), await Client.connect(port) as client:
        client.send(request("/", method="HEAD") + request("/"))
        first = await client.receive(method="HEAD")
        assert first.all("content-length") == ["5"]
        assert (await client.receive()).body == b"ready"


@on_both_loops
async def test_a_client_that_closes_is_closed_after_its_ready_answer() -> None:
    async with _serving(_at_once) as (_, port), await Client.connect(port) as client:
        assert (await client.call(request("/", "Connection: close"))).closes
        assert await client.rest() == b""


@on_both_loops
async def test_ready_answers_do_not_overtake_slow_ordinary_ones() -> None:
    gate = Gate()
    async with _serving(_at_once, gate) as (server, port), await Client.connect(port) as client:
        client.send(request("/gated/one") + request("/") + request("/gated/two") + request("/"))
        await until(lambda: gate.began == ["one"])
        await turn_loop()
        assert server.statistics.ready_answers == 0
        gate.open.set()
        bodies = [(await client.receive()).body for _ in range(4)]
    assert bodies == [b"gated one", b"ready", b"gated two", b"ready"]


@on_both_loops
async def test_a_long_pipeline_leaves_others_their_turn() -> None:
    asked: list[str] = []

    def record(what: ReadyRequest) -> Answer:
        asked.append(what.target)
        return READY

    async with (
        _serving(record) as (_, port),
        await Client.connect(port) as greedy,
        await Client.connect(port) as modest,
    ):
        for client in (greedy, modest):
            await client.call(request("/warm-up"))
        greedy.send(request("/greedy") * 1000)
        modest.send(request("/modest"))
        await modest.receive()
        for _ in range(1000):
            await greedy.receive()
    assert asked.index("/modest") < 200


@pytest.mark.parametrize(
    "unusual",
    [
        request("/", "Range: bytes=0-1"),
        request("/", "Expect: 100-continue"),
        request("/", "Upgrade: h2c", "Connection: Upgrade"),
        request("/", "If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT"),
        request("/", "Connection: keep-alive", version="1.0"),
        request("/", body=b"x"),
        request("/", "Content-Length: 0"),
        request("/", method="POST", body=b"x"),
    ],
)
@on_both_loops
async def test_an_unusual_request_takes_the_ordinary_road(unusual: bytes) -> None:
    # Twice, for a head that is known takes another way through the server.
    assert await _call(lambda _: READY, unusual, unusual, request("/")) == [
        b"ordinary", b"ordinary", b"ready",
    ]  # fmt: skip


@on_both_loops
async def test_the_fields_asked_for_are_seen_in_their_order() -> None:
    seen: list[ReadyRequest] = []

    def look(asked: ReadyRequest) -> Answer:
        seen.append(asked)
        return READY

    fields = ("if-none-match", "accept", "cookie")
    async with (
        _serving(look, ready_fields=fields) as (_, port),
        await Client.connect(port) as client,
    ):
        await client.call(request("/?a=%20b", "Cookie: one", "ACCEPT: text/html", "accept: */*"))
    assert seen == [ReadyRequest("GET", "/?a=%20b", (None, "text/html, */*", "one"))]


@on_both_loops
async def test_statistics_count_each_road() -> None:
    gate = Gate()
    async with _serving(_at_once, gate) as (server, port):
        async with await Client.connect(port) as client:
            client.send(request("/") * 3 + request("/gated/one"))
            await until(lambda: bool(gate.began))
            statistics = server.statistics
            assert (statistics.requests, statistics.ready_answers) == (4, 3)
            assert (statistics.connections, statistics.in_flight) == (1, 1)
            gate.open.set()
            for _ in range(4):
                await client.receive()
            assert statistics.in_flight == 0
            client.send(b"nonsense\r\n\r\n")
            assert (await client.receive()).status == 400
        await until(lambda: not statistics.connections)
        assert statistics.refused == {400: 1}
        assert (statistics.requests, statistics.accepted) == (4, 1)
