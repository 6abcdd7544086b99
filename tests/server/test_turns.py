"""A few requests begin in each turn of the loop, in the order in which they came."""

import asyncio
from functools import partial

import pytest
from http_serving import on_both_loops, turn_loop, until
from recording_transport import RecordingTransport
from tornado.web import Application, RequestHandler

from app.httpserver import Later, Server
from app.httpserver.turns import Turns

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
MANY = 80
PER_TURN = 32


class Begun:
    """What has begun, in its order."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def begin(self, number: int) -> bool:
        self.numbers.append(number)
        return True


class Hello(RequestHandler):
    def get(self) -> None:
        self.finish("hello")


class Pending(RequestHandler):
    """Answers when its client has gone; must not hear of that before it has begun."""

    begun = 0

    def prepare(self) -> None:
        self.gone = asyncio.Event()

    async def get(self) -> None:
        type(self).begun += 1
        await self.gone.wait()

    def on_connection_close(self) -> None:
        self.gone.set()


def connect(server: Server) -> list[RecordingTransport]:
    """Let many clients ask at once."""
    clients = [RecordingTransport(server, client_reads=True) for _ in range(MANY)]
    for client in clients:
        client.send(GET)
    return clients


@on_both_loops
async def test_32_begin_in_a_turn_and_all_in_the_order_in_which_they_came() -> None:
    turns, begun = Turns(asyncio.get_running_loop()), Begun()
    for number in range(MANY):
        turns.take(partial(begun.begin, number))
    counts = [len(begun.numbers)]
    while len(begun.numbers) < MANY:
        await asyncio.sleep(0)
        counts.append(len(begun.numbers))
    assert counts == [PER_TURN, 2 * PER_TURN, MANY]
    assert begun.numbers == list(range(MANY))


@on_both_loops
async def test_what_is_not_worth_beginning_takes_nobodys_turn() -> None:
    turns, begun = Turns(asyncio.get_running_loop()), Begun()
    for number in range(PER_TURN):
        turns.take(partial(begun.begin, number))
    for _ in range(1000):
        turns.take(lambda: False)
    turns.take(partial(begun.begin, PER_TURN))
    await asyncio.sleep(0)
    assert begun.numbers == list(range(PER_TURN + 1))


@on_both_loops
async def test_who_comes_while_others_wait_goes_behind_them() -> None:
    turns, begun = Turns(asyncio.get_running_loop()), Begun()
    for number in range(PER_TURN + 1):
        turns.take(partial(begun.begin, number))
    turns.take(partial(begun.begin, PER_TURN + 1))
    await asyncio.sleep(0)
    assert begun.numbers == list(range(PER_TURN + 2))


@on_both_loops
async def test_one_that_begins_may_bring_the_next() -> None:
    turns, begun = Turns(asyncio.get_running_loop()), Begun()

    def begin(number: int) -> bool:
        if number:
            turns.take(partial(begin, number - 1))
        return begun.begin(number)

    begin(MANY)
    await until(lambda: len(begun.numbers) == MANY + 1)
    assert sorted(begun.numbers) == list(range(MANY + 1))


@pytest.mark.parametrize("place", [0, 40, MANY - 1])
@on_both_loops
async def test_a_client_that_leaves_before_its_turn_is_not_the_applications(place: int) -> None:
    server = Server(Application([("/", Hello)]))
    clients = connect(server)
    assert server.statistics.in_flight == MANY
    clients[place].abort()
    await until(lambda: not server.statistics.in_flight)
    answered = sum(client.received.endswith(b"hello") for client in clients)
    assert answered == MANY - 1
    assert server.statistics.exchanges == (MANY if place == 0 else MANY - 1)


@on_both_loops
async def test_a_handler_hears_of_its_clients_end_after_it_has_begun() -> None:
    Pending.begun = 0
    server = Server(Application([("/", Pending)]))
    clients = connect(server)
    for client in clients[PER_TURN:]:
        client.abort()
    await turn_loop()
    assert Pending.begun == PER_TURN
    for client in clients[:PER_TURN]:
        client.abort()
    await until(lambda: not server.statistics.in_flight)
    await turn_loop()
    assert len(asyncio.all_tasks()) == 1


@on_both_loops
async def test_a_declined_client_that_has_left_is_not_the_applications() -> None:
    later = Later()
    server = Server(Application([("/", Hello)]), ready=lambda _: later)
    client = RecordingTransport(server, client_reads=True)
    client.send(GET)
    client.abort()
    later.decline()
    await turn_loop()
    assert (server.statistics.exchanges, server.statistics.in_flight) == (0, 0)


@on_both_loops
async def test_a_response_that_is_over_cannot_detach_the_connection_of_one_that_waits() -> None:
    server = Server(Application([("/", Hello)]))
    (client, *_) = connect(server)
    await until(lambda: not server.statistics.in_flight)
    connect(server)  # So that the next request must wait.
    client.send(GET)
    stream = client.connection.detach(object(), b"")  # type: ignore[arg-type]
    assert stream.closed()
    await until(lambda: not server.statistics.in_flight)
    assert client.received.count(b"hello") == 2
