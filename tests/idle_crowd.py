"""Many clients that ask once and then say nothing: ``python tests/idle_crowd.py PORT COUNT``.

Says ``ready`` when all are there. Who is cut off comes again, until the process is ended.
"""

import asyncio
import resource
import sys
from contextlib import suppress
from typing import cast

import uvloop

_REQUEST = b"GET /todo HTTP/1.1\r\nHost: localhost\r\n\r\n"
_AT_ONCE = 50
_AGAIN_SECONDS = 1.0


class _Idle(asyncio.Protocol):
    def __init__(self) -> None:
        self.gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(_REQUEST)

    def connection_lost(self, _: Exception | None) -> None:
        self.gone.set()


async def main(port: int, count: int) -> None:
    """Keep so many connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    connecting = asyncio.Semaphore(_AT_ONCE)
    connected = asyncio.Semaphore(0)

    async def idle() -> None:
        loop, is_first = asyncio.get_running_loop(), True
        while True:
            with suppress(OSError):
                async with connecting:
                    _, client = await loop.create_connection(_Idle, "127.0.0.1", port)
                if is_first:
                    connected.release()
                    is_first = False
                await client.gone.wait()
            await asyncio.sleep(_AGAIN_SECONDS)

    async with asyncio.TaskGroup() as clients:
        for _ in range(count):
            clients.create_task(idle())
        for _ in range(count):
            await connected.acquire()
        print("ready", flush=True)


if __name__ == "__main__":
    uvloop.run(main(*map(int, sys.argv[1:])))
