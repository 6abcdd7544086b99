"""The endpoint in Falcon, as an ASGI application."""

import falcon
import falcon.asgi

from benchmarks.peers.body import BODY, CONTENT_TYPE, TARGET


class Todos:
    """Answers with the ready bytes."""

    async def on_get(self, _request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Answer 200, Falcon's default."""
        response.content_type = CONTENT_TYPE
        response.data = BODY


application = falcon.asgi.App()
application.add_route(TARGET, Todos())
