"""The todo service in Sanic, in one process: ``python -m benchmarks.peers.todo_sanic PORT``."""

import sys

from sanic import HTTPResponse, Request, Sanic
from sanic.response import empty

from benchmarks.peers.body import CONTENT_TYPE, TARGET
from benchmarks.peers.todo_page import parse_start
from benchmarks.peers.todo_store import Store

application = Sanic("todos")
store = Store()


@application.get(TARGET)
async def list_todos(request: Request) -> HTTPResponse:
    """Answer with ten todos after skipping ``start``."""
    page = await store.page(parse_start(request.args.get("start", "0")))
    return HTTPResponse(page, content_type=CONTENT_TYPE)


@application.post(TARGET)
async def add_todo(request: Request) -> HTTPResponse:
    """Store the form's ``content`` as a new todo."""
    await store.add(request.form.get("content"))
    return empty(status=200)


if __name__ == "__main__":
    application.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        backlog=2048,
        single_process=True,
        access_log=False,
        motd=False,
    )
