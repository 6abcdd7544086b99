"""A few requests begin in each turn of the loop, in the order in which they came."""

import asyncio
from functools import partial

from http_serving import on_both_loops, until
from recording_transport import RecordingTransport
from tornado.web import Application, RequestHandler

from app.httpserver import Server
from app.httpserver.turns import Turns

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Hello(RequestHandler):
    def get(self) -> None:
        self.finish("hello")


@on_both_loops
async def test_sixteen_begin_in_a_turn_and_all_in_the_order_in_which_they_came() -> None:
    turns = Turns(asyncio.get_running_loop())
    begun: list[int] = []
    for number in range(40):
        turns.take(partial(begun.append, number))
    counts = [len(begun)]
    while len(begun) < 40:
        await asyncio.sleep(0)
        counts.append(len(begun))
    assert counts == [16, 32, 40]
    assert begun == list(range(40))


@on_both_loops
async def test_who_comes_while_others_wait_goes_behind_them() -> None:
    turns = Turns(asyncio.get_running_loop())
    begun: list[int] = []
    for number in range(17):
        turns.take(partial(begun.append, number))
    turns.take(partial(begun.append, 17))
    await asyncio.sleep(0)
    assert begun == list(range(18))


@on_both_loops
async def test_one_that_begins_may_bring_the_next() -> None:
    turns = Turns(asyncio.get_running_loop())
    begun: list[int] = []

    def begin(number: int) -> None:
        begun.append(number)
        if number:
            turns.take(partial(begin, number - 1))

    begin(40)
    await until(lambda: begun[-1] == 0)
    assert begun == list(range(40, -1, -1))


@on_both_loops
async def test_a_client_that_leaves_before_its_turn_costs_the_application_nothing() -> None:
    server = Server(Application([("/", Hello)]))
    clients = [RecordingTransport(server, client_reads=True) for _ in range(40)]
    for client in clients:
        client.send(GET)
    assert server.statistics.in_flight == 40
    clients[-1].abort()
    await until(lambda: not server.statistics.in_flight)
    assert server.statistics.exchanges == 39
    assert sum(client.received.endswith(b"hello") for client in clients) == 39
