"""The store of the peers on asyncio: PyMongo's asynchronous client, with Redis before it."""

from pymongo import AsyncMongoClient
from redis.asyncio import Redis

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
    redis_url,
    render,
)


class Store:
    """Reads pages through Redis and writes todos."""

    def __init__(self) -> None:
        self._todos = AsyncMongoClient(mongo_uri(), **DURABLE)[DATABASE][COLLECTION]
        self._redis = Redis.from_url(redis_url(), max_connections=REDIS_CONNECTIONS)

    async def page(self, start: int) -> bytes:
        """Return ten todos after skipping ``start``, rendered."""
        page = await self._redis.hget(PAGES, str(start))
        if page is None:
            found = self._todos.find().sort(NEWEST_FIRST).skip(start).limit(PAGE_TODOS)
            page = render(await found.to_list())
            await self._redis.hset(PAGES, str(start), page)
            await self._redis.expire(PAGES, PAGES_SECONDS)
        return page

    async def add(self, content: str) -> None:
        """Store a todo and delete the pages."""
        await self._todos.insert_one(new_document(content))
        await self._redis.delete(PAGES)
