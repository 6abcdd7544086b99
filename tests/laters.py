"""Clients that wait for answers that a ready function gives later."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest
from http_client import Client, Received, request
from http_serving import serving, until
from tornado.web import Application, RequestHandler

from app.httpserver import Answer, Later, Ready, ReadyRequest, Server

GET, NOW = request("/"), request("/now")
READY = Answer.build(HTTPStatus.OK, [("Content-Type", "text/plain")], b"ready")
NEWER = Answer.build(HTTPStatus.OK, [], b"newer")


class _Ordinary(RequestHandler):
    def get(self) -> None:
        self.write(b"ordinary" + self.request.body)

    head = post = get


class Laters:
    """A ready function that lets all wait but those who ask for ``/now``: they get `NEWER`.

    Attributes:
        made: what they wait for, or have waited for.
    """

    def __init__(self) -> None:
        self.made: list[Later] = []

    def __call__(self, asked: ReadyRequest) -> Answer | Later:
        if asked.target == "/now":
            return NEWER
        self.made.append(Later())
        return self.made[-1]


@asynccontextmanager
async def waiting(
    ready: Ready, *requests: bytes, application: Application | None = None, **arguments: Any
) -> AsyncIterator[tuple[Server, int, list[Client]]]:
    """Give a server, its port and a client for each of the requests, who wait in that order."""
    async with AsyncExitStack() as stack:
        application = application or Application([("/.*", _Ordinary)])
        serve = serving(application, ready=ready, **arguments)
        server, port = await stack.enter_async_context(serve)
        clients: list[Client] = []
        for each in requests:
            clients.append(await stack.enter_async_context(await Client.connect(port)))
            clients[-1].send(each)
            await until(lambda: server.statistics.in_flight == len(clients))
        yield server, port, clients


async def receive(*clients: Client) -> list[Received]:
    """Read an answer to GET for each, in this order; a client that stands twice has two."""
    return [await client.receive() for client in clients]


# The two ways to answer, each telling the clients their names in X-Own, the first field.

_OWN = READY._replace(own_at=READY.head.index(b"Content-Type"))


def _answer_all(later: Later, *names: str) -> None:
    later.answer(_OWN, [f"X-Own: {name}\r\n".encode() for name in names])


def _answer_each(later: Later, *names: str) -> None:
    later.answer_each(_OWN.filled(f"X-Own: {name}\r\n".encode()) for name in names)


AnswerBy = Callable[..., None]
in_both_ways = pytest.mark.parametrize("answer", [_answer_all, _answer_each])


def own(answers: list[Received]) -> list[str]:
    """Return the names that clients were told."""
    return [name for answer in answers for name in answer.all("x-own")]
