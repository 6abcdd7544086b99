"""The todo service in stock Tornado: ``python -m benchmarks.peers.todo_tornado PORT``.

On asyncio's own loop, with Motor and redis.asyncio.
"""

import asyncio
import sys

from motor.motor_tornado import MotorClient
from redis.asyncio import Redis
from tornado.web import Application, RequestHandler

from benchmarks.peers.body import CONTENT_TYPE, TARGET
from benchmarks.peers.todo_page import (
    COLLECTION,
    DATABASE,
    DURABLE,
    NEWEST_FIRST,
    PAGE_TODOS,
    PAGES,
    PAGES_SECONDS,
    REDIS_CONNECTIONS,
    mongo_uri,
    new_document,
    parse_start,
    redis_url,
    render,
)


class TodosHandler(RequestHandler):
    """All todos."""

    async def get(self) -> None:
        """Answer with ten todos after skipping ``start``."""
        cache = self.settings["cache"]
        start = parse_start(self.get_query_argument("start", "0"))
        page = await cache.hget(PAGES, str(start))
        if page is None:
            found = self.settings["todos"].find().sort(NEWEST_FIRST).skip(start).limit(PAGE_TODOS)
            page = render(await found.to_list(PAGE_TODOS))
            await cache.hset(PAGES, str(start), page)
            await cache.expire(PAGES, PAGES_SECONDS)
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(page)

    async def post(self) -> None:
        """Store the form's ``content`` as a new todo."""
        await self.settings["todos"].insert_one(new_document(self.get_body_argument("content")))
        await self.settings["cache"].delete(PAGES)


async def main(port: int) -> None:
    """Serve until the process is ended."""
    application = Application(
        [(TARGET, TodosHandler)],
        todos=MotorClient(mongo_uri(), **DURABLE)[DATABASE][COLLECTION],
        cache=Redis.from_url(redis_url(), max_connections=REDIS_CONNECTIONS),
    )
    application.listen(port, "127.0.0.1", backlog=2048)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
