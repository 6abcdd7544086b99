"""The todo service in FastAPI, without its documentation pages."""

from typing import Annotated

from fastapi import FastAPI, Form, Response

from benchmarks.peers.body import CONTENT_TYPE, TARGET
from benchmarks.peers.todo_page import parse_start
from benchmarks.peers.todo_store import Store

application = FastAPI(openapi_url=None)
store = Store()


@application.get(TARGET)
async def list_todos(start: str = "0") -> Response:
    """Answer with ten todos after skipping ``start``."""
    return Response(await store.page(parse_start(start)), media_type=CONTENT_TYPE)


@application.post(TARGET)
async def add_todo(content: Annotated[str, Form()]) -> Response:
    """Store the form's ``content`` as a new todo."""
    await store.add(content)
    return Response()
