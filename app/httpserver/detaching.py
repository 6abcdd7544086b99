"""Hands a connection over to Tornado as an IOStream, for WebSockets and other protocols."""

import asyncio
import socket
from contextlib import suppress

from tornado.iostream import IOStream

_READ_BYTES = 65536


class _HeadStartStream(IOStream):
    """An IOStream whose first bytes have been read off its socket already."""

    def __init__(self, own_socket: socket.socket, first: bytes) -> None:
        super().__init__(own_socket)
        self._first = first

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Read the first bytes first."""
        if not self._first:
            return super().read_from_fd(buf)
        size = min(len(buf), len(self._first))
        buf[:size] = self._first[:size]
        self._first = self._first[size:]
        return size


def closed_stream() -> IOStream:
    """Return a stream that tells whoever uses it that the client is gone."""
    stream = IOStream(socket.socket())
    stream.close()
    return stream


def detach_stream(transport: asyncio.Transport, first: bytes, greeting: bytes) -> IOStream:
    """Return a stream with the client at the other end; the transport is used up.

    A plain socket is duplicated, and the stream goes on with the duplicate. That cannot be done
    with a TLS connection, whose keys stay with the transport, nor with one that has something left
    to send: these transports are joined to the stream by a pair of sockets.

    Args:
        transport: what the connection was served on.
        first: input that has been read from it.
        greeting: what is sent before anything that is written to the stream.

    Raises:
        OSError: no file descriptor is left; the connection is closed.
    """
    if transport.get_extra_info("ssl_object") is None and not transport.get_write_buffer_size():
        descriptor = transport.get_extra_info("socket")
        try:
            duplicate = socket.fromfd(descriptor.fileno(), descriptor.family, descriptor.type)
        except OSError:
            transport.abort()
            raise
        duplicate.setblocking(False)
        transport.abort()  # Closes its own descriptor; the connection lives on.
        stream = _HeadStartStream(duplicate, first)
        if greeting:
            stream.write(greeting)
        return stream
    try:
        near, far = socket.socketpair()
    except OSError:
        transport.abort()
        raise
    transport.write(greeting)
    near.setblocking(False)
    far.setblocking(False)
    transport.set_protocol(_Bridge(transport, far, first))
    return IOStream(near)


class _Bridge(asyncio.Protocol):
    """Carries bytes between a transport and a socket, each at the other's speed."""

    def __init__(self, transport: asyncio.Transport, far: socket.socket, first: bytes) -> None:
        self._transport = transport
        self._far = far
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._received: asyncio.Queue[bytes] = asyncio.Queue()
        self._received.put_nowait(first)
        self._loop = asyncio.get_event_loop()
        self._task = self._loop.create_task(self._carry())
        transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Pass on what the client sends, before more of it is read."""
        self._received.put_nowait(data)
        self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the stream see its end."""
        self._task.cancel()

    def pause_writing(self) -> None:
        """Read no more from the stream."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """Read from it again."""
        self._may_write.set()

    async def _carry(self) -> None:
        inbound = self._loop.create_task(self._carry_inbound())
        try:
            while data := await self._loop.sock_recv(self._far, _READ_BYTES):
                self._transport.write(data)
                await self._may_write.wait()
        except OSError:
            pass  # The stream was closed with input unread.
        finally:
            inbound.cancel()
            self._far.close()
            self._transport.close()

    async def _carry_inbound(self) -> None:
        with suppress(OSError):  # The other direction notices too.
            while True:
                await self._loop.sock_sendall(self._far, await self._received.get())
                if self._received.empty():
                    self._transport.resume_reading()
