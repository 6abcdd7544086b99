"""The endpoint in aiohttp, on uvloop: ``python -m benchmarks.peers.aiohttp_app PORT``."""

import sys

import uvloop
from aiohttp import web

from benchmarks.peers.body import BODY, CONTENT_TYPE, TARGET


async def todos(_request: web.Request) -> web.Response:
    """Answer with the ready bytes."""
    return web.Response(body=BODY, content_type=CONTENT_TYPE)


def main() -> None:
    """Serve until SIGTERM."""
    application = web.Application()
    application.router.add_get(TARGET, todos)
    web.run_app(
        application,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        backlog=2048,
        access_log=None,
        print=None,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main()
