"""What the peers' todo services have in common: where the data are, and what a page looks like.

All of them cache as a user would after the article: rendered pages stand in one hash in Redis,
by their start, and every write deletes the hash. A page that is being made while a write ends may
still be put there afterwards and stay until the next write: these caches promise nothing.
"""

import json
import os
import time
from collections.abc import Iterable
from typing import Any

MONGO_URI_VARIABLE = "BENCHMARK_MONGO_URI"
REDIS_URL_VARIABLE = "BENCHMARK_REDIS_URL"

DATABASE = "peers"
COLLECTION = "todos"
DURABLE = {"w": "majority", "journal": True}
"""Every write is on the disks of most servers before it is acknowledged, as ours is."""

REDIS_CONNECTIONS = 4096
"""redis-py's own 100 make it answer the clients beyond them with errors; a pool that lets them wait
was half as fast as this."""

PAGES = "peers:todo:pages"
PAGES_SECONDS = 3600
"""The article's time to live."""

PAGE_TODOS = 10
NEWEST_FIRST = [("created_at", -1)]


def mongo_uri() -> str:
    """Return where MongoDB is."""
    return os.environ[MONGO_URI_VARIABLE]


def redis_url() -> str:
    """Return where Redis is."""
    return os.environ[REDIS_URL_VARIABLE]


def parse_start(text: str) -> int:
    """Return the number of todos to skip; what is no number counts as 0."""
    return int(text) if text.isdecimal() else 0


def render(documents: Iterable[dict[str, Any]]) -> bytes:
    """Return a page as the service's first version gives it."""
    todos = [
        {
            "id": str(document["_id"]),
            "content": document["content"],
            "created_at": document["created_at"],
            "is_finished": document["is_finished"],
            "finished_at": document["finished_at"],
        }
        for document in documents
    ]
    return json.dumps({"data": todos}, ensure_ascii=False, separators=(",", ":")).encode()


def new_document(content: str) -> dict[str, Any]:
    """Return a new todo as it is stored."""
    return {
        "content": content,
        "created_at": time.time(),
        "is_finished": False,
        "finished_at": None,
    }
