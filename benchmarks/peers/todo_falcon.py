"""The todo service in Falcon, as an ASGI application."""

import falcon
import falcon.asgi

from benchmarks.peers.body import CONTENT_TYPE, TARGET
from benchmarks.peers.todo_page import parse_start
from benchmarks.peers.todo_store import Store


class Todos:
    """All todos."""

    def __init__(self) -> None:
        self._store = Store()

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Answer with ten todos after skipping ``start``."""
        start = parse_start(request.get_param("start", default="0"))
        response.content_type = CONTENT_TYPE
        response.data = await self._store.page(start)

    async def on_post(self, request: falcon.asgi.Request, _response: falcon.asgi.Response) -> None:
        """Store the form's ``content`` as a new todo."""
        form = await request.get_media()
        await self._store.add(form["content"])


application = falcon.asgi.App()
application.add_route(TARGET, Todos())
