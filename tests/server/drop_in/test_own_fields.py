"""A field that is each request's own keeps nobody from an answer, and is not lost on any road."""

from http_client import Client, request
from http_serving import on_both_loops, serving, until
from laters import READY, Laters, receive, waiting
from tornado.web import Application, RequestHandler

HEADS = [request("/", f"X-Own: {name}", "Accept: */*") for name in "abc"]


class Tell(RequestHandler):
    """Tells a request's own field."""

    def get(self) -> None:
        self.write(",".join(self.request.headers.get_list("X-Own")))


@on_both_loops
async def test_who_differs_in_it_alone_shares_an_answer_that_has_the_values() -> None:
    laters = Laters()
    async with waiting(laters, *HEADS, request("/"), own_field="x-own") as (_, _, clients):
        alike, other = laters.made
        assert (list(alike.owns), list(other.owns)) == (["a", "b", "c"], [None])
        alike.answer(READY)
        other.answer(READY)
        assert [each.body for each in await receive(*clients)] == [b"ready"] * 4


@on_both_loops
async def test_a_head_that_comes_in_pieces_keeps_it() -> None:
    laters = Laters()
    async with (
        waiting(laters, HEADS[0], own_field="x-own") as (server, port, _),
        await Client.connect(port) as slow,
    ):
        slow.send(HEADS[1][:-1])
        await until(lambda: server.statistics.accepted == 2)
        slow.send(HEADS[1][-1:])
        await until(lambda: server.statistics.in_flight == 2)
        assert [own for later in laters.made for own in later.owns] == ["a", "b"]
        for later in laters.made:
            later.answer(READY)
        assert (await slow.receive()).body == b"ready"


@on_both_loops
async def test_the_application_sees_it_however_often_such_a_head_was_read() -> None:
    async with (
        serving(Application([("/", Tell)]), own_field="X-Own") as (_, port),
        await Client.connect(port) as client,
    ):
        for head in HEADS * 2:
            client.send(head)
        bodies = [(await client.receive()).body for _ in HEADS * 2]
        assert bodies == [b"a", b"b", b"c"] * 2


@on_both_loops
async def test_who_is_sent_on_by_the_ready_function_has_it_too() -> None:
    laters = Laters()
    async with waiting(
        laters, *HEADS, application=Application([("/", Tell)]), own_field="X-Own"
    ) as (_, _, clients):
        laters.made[0].decline()
        assert [each.body for each in await receive(*clients)] == [b"a", b"b", b"c"]
