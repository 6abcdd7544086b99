"""The endpoint in Sanic, in one process: ``python -m benchmarks.peers.sanic_app PORT``."""

import sys

from sanic import HTTPResponse, Request, Sanic

from benchmarks.peers.body import BODY, CONTENT_TYPE, TARGET

application = Sanic("todos")


@application.get(TARGET)
async def todos(_request: Request) -> HTTPResponse:
    """Answer with the ready bytes."""
    return HTTPResponse(BODY, content_type=CONTENT_TYPE)


if __name__ == "__main__":
    application.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        backlog=2048,
        single_process=True,
        access_log=False,
        motd=False,
    )
