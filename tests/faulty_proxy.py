"""A TCP proxy that misbehaves as networks do, on a thread of its own."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from enum import Enum, auto
from random import Random
from threading import Event, Thread
from typing import Any

_CHUNK_BYTES = 65_536
_LATENCY_SECONDS = 0.1
_END_SECONDS = 1.0


class Weather(Enum):
    """What becomes of the bytes."""

    CALM = auto()
    """They are passed on."""

    LATENCY = auto()
    """They are passed on 100 ms later, each way."""

    RESET = auto()
    """Connections are reset, the open ones and new ones."""

    BLACK_HOLE = auto()
    """Connections are taken, and no byte goes any further."""

    SLICES = auto()
    """They are passed on one by one."""


class FaultyProxy:
    """Passes connections to a port of 127.0.0.1 on to a server.

    Args:
        connect: opens a connection to the server.
        tls: what clients speak TLS with; None: they speak plainly.
    """

    def __init__(
        self,
        connect: Callable[
            [], Coroutine[Any, Any, tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        ],
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._connect = connect
        self._tls = tls
        self._weather = Weather.CALM
        self._random = Random(0)
        self.touched = 0
        """Connections that this weather has reset, and pieces that came in it."""
        self._changed: asyncio.Event
        self._server: asyncio.Server
        self._writers: set[asyncio.StreamWriter] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._is_up = Event()
        self._thread = Thread(target=self._run, name="proxy")

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()
        self._is_up.wait()

    def stop(self) -> None:
        """End, with all connections."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def set(self, weather: Weather) -> None:
        """Change the weather."""
        asyncio.run_coroutine_threadsafe(self._set(weather), self._loop).result()

    async def _set(self, weather: Weather) -> None:
        self._weather = weather
        self.touched = 0
        self._changed.set()
        self._changed = asyncio.Event()
        if weather is Weather.RESET:
            self.touched += len(self._writers)
            for writer in list(self._writers):
                writer.transport.abort()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._begin())
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _begin(self) -> None:
        self._changed = asyncio.Event()
        self._server = await asyncio.start_server(self._serve, sock=self._listening, ssl=self._tls)
        self._is_up.set()

    async def _end(self) -> None:
        self._server.close()
        await self._set(Weather.RESET)
        if serving := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(serving, timeout=_END_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._weather is Weather.RESET:
            self.touched += 1
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await self._connect()
        except OSError:  # The server is away: so is this.
            writer.transport.abort()
            return
        pair = {writer, far_writer}
        self._writers |= pair
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        finally:
            self._writers -= pair
            for end in pair:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            async for data in self._pieces(reader):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    async def _pieces(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        while data := await reader.read(_CHUNK_BYTES):
            self.touched += self._weather is not Weather.CALM
            while self._weather is Weather.BLACK_HOLE:
                await self._changed.wait()
            if self._weather is Weather.LATENCY:
                await asyncio.sleep(_LATENCY_SECONDS * self._random.uniform(0.5, 1.5))
            if self._weather is not Weather.SLICES:
                yield data
                continue
            for place in range(len(data)):
                yield data[place : place + 1]
                await asyncio.sleep(0)
