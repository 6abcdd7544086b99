"""A constant load on a node that counts every request that failed.

Requests begin at fixed times, whatever became of those before (an open loop), each on a connection
of its own, which it says: a client that keeps one may send on it while nginx closes it, which no
server can mend.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

from http_client import Client, Received, request

DEADLINE_SECONDS = 120.0
POSTS = 0.2
CLOSE = "Connection: close"
READS = ("/todo", "/v1/todos?limit=5", "/todo?start=10")


@dataclass
class Tally:
    """What became of the requests."""

    sent: int = 0
    added: dict[str, str] = field(default_factory=dict)
    """Contents of the todos that were acknowledged, by id."""

    failures: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    by_status: Counter[int] = field(default_factory=Counter)


class SteadyLoad:
    """Sends requests to a port of nginx.

    Args:
        port: where to.
        per_second: how many begin in a second.
        seed: draws what they are.
    """

    def __init__(self, port: int, *, per_second: float, seed: int = 0) -> None:
        self._port = port
        self._per_second = per_second
        self._random = random.Random(seed)
        self._requests: set[asyncio.Task[None]] = set()
        self.tally = Tally()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Tally]:
        """Load until the block is left, and wait for the last answers."""
        sending = asyncio.create_task(self._send_all())
        try:
            yield self.tally
        finally:
            sending.cancel()
            await asyncio.wait({sending, *self._requests})

    async def check_added(self) -> list[str]:
        """Return the ids of acknowledged todos that are not there as they were sent."""
        lost = []
        for todo_id, content in self.tally.added.items():
            answer = await self._call(request(f"/v1/todos/{todo_id}", CLOSE))
            if answer.status != 200 or json.loads(answer.body)["content"] != content:
                lost.append(todo_id)
        return lost

    async def _send_all(self) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while True:
            task = asyncio.create_task(self._send_one(self.tally.sent))
            self._requests.add(task)
            task.add_done_callback(self._requests.discard)
            self.tally.sent += 1
            due = begun + self.tally.sent / self._per_second
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _send_one(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        content = f"todo {number}"
        is_post = self._random.random() < POSTS
        sent = _post(content) if is_post else request(self._random.choice(READS), CLOSE)
        try:
            answer = await self._call(sent)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.tally.failures.append(f"{sent.split(b' HTTP')[0]!r}: {error!r}")
            return
        self.tally.seconds.append(loop.time() - begun)
        self.tally.by_status[answer.status] += 1
        if answer.status != (201 if is_post else 200):
            self.tally.failures.append(f"{sent.split(b' HTTP')[0]!r}: {answer}")
        elif is_post:
            self.tally.added[json.loads(answer.body)["id"]] = content

    async def _call(self, sent: bytes) -> Received:
        async with asyncio.timeout(DEADLINE_SECONDS), await Client.connect(self._port) as client:
            return await client.call(sent)


def takes_writes(port: int) -> bool:
    """Tell whether a change is carried out; it is one of a todo that is not there."""
    connection = HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)
    try:
        connection.request("DELETE", f"/v1/todos/{'0' * 24}")
        return connection.getresponse().status == 404
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _post(content: str) -> bytes:
    body = json.dumps({"content": content}).encode()
    kind = "Content-Type: application/json"
    return request("/v1/todos", kind, CLOSE, method="POST", body=body)
