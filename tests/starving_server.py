"""A server with few file descriptors, in a process of its own: prints its port, then serves."""

import asyncio
import os
import resource

import uvloop
from http_serving import Hello
from tornado.ioloop import IOLoop
from tornado.web import Application

from app.httpserver import Server

DESCRIPTORS = 20
"""For clients; each takes one."""

LIMIT = 256


def _take_all() -> list[int]:
    taken = []
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        return taken


async def main() -> None:
    server = Server(Application([("/", Hello)]))
    (listening,) = server.listen(0)
    IOLoop.current()  # Tornado imports its platform here, which takes a descriptor.
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    taken = _take_all()
    for descriptor in taken[:DESCRIPTORS]:
        os.close(descriptor)
    print(listening.getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
