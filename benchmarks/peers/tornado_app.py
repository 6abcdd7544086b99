"""The endpoint in Tornado: ``python -m benchmarks.peers.tornado_app CORE PORT``.

CORE says what reads the requests: ``stock`` is Tornado as it comes, on asyncio's own loop, and
``stock-uvloop`` the same on uvloop; ``road`` is our server with the same application and ``ready``
with the answer kept ready, both on uvloop, as the service runs.
"""

import asyncio
import sys
from http import HTTPStatus

import uvloop
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from app.httpserver import Answer, ReadyRequest, Server
from benchmarks.peers.body import BODY, CONTENT_TYPE, TARGET

_READY_FIELDS = ("authorization", "if-none-match")
"""What a service must see before it may send an answer it has ready; wrk sends neither."""


class TodosHandler(RequestHandler):
    """Answers with the ready bytes."""

    def get(self) -> None:
        """Answer 200; Tornado adds an entity tag."""
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(BODY)


def _make_server(core: str) -> HTTPServer | Server:
    application = Application([(TARGET, TodosHandler)])
    match core:
        case "stock" | "stock-uvloop":
            return HTTPServer(application)
        case "road":
            return Server(application)
        case "ready":
            # The entity tag makes the head as long as nginx's, which sends one too.
            fields = [("Content-Type", CONTENT_TYPE), ("ETag", '"691f3a10-558"')]
            answer = Answer.build(HTTPStatus.OK, fields, BODY)
            answers = {ReadyRequest("GET", TARGET, (None,) * len(_READY_FIELDS)): answer}
            return Server(application, ready=answers.get, ready_fields=_READY_FIELDS)
        case _:
            raise ValueError(f"no such core: {core}")


async def main(core: str, port: int) -> None:
    """Serve until the process is ended."""
    server = _make_server(core)
    server.add_sockets(bind_sockets(port, "127.0.0.1", backlog=2048))
    await asyncio.Event().wait()


if __name__ == "__main__":
    run = asyncio.run if sys.argv[1] == "stock" else uvloop.run
    run(main(sys.argv[1], int(sys.argv[2])))
