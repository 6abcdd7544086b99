"""The server: listens, holds what its connections share, drains and closes."""

import asyncio
import socket
import ssl
from asyncio import Future
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from tornado.httputil import HTTPServerConnectionDelegate
from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from tornado.log import app_log
from tornado.netutil import bind_sockets, ssl_options_to_context

from app.httpserver.answer import Answer, Ready, Refuse, plain_refusal
from app.httpserver.channel import Channel
from app.httpserver.clock import Clock
from app.httpserver.connection import Connection
from app.httpserver.context import Context, is_trusted, peer_context
from app.httpserver.framing import MayBeReady
from app.httpserver.heads import Heads
from app.httpserver.later import Later
from app.httpserver.listener import Listener
from app.httpserver.options import Options
from app.httpserver.output import retrieve
from app.httpserver.refusal import Refusal
from app.httpserver.turns import Turns

T = TypeVar("T")

_ARRIVAL_SECONDS = 0.05
"""For requests that were sent before a drain began, and are still on their way."""


@dataclass(slots=True)
class Statistics:
    """Counts of a server. Those of what is open now fall again, the others only grow."""

    connections: int = 0
    """Open now."""

    begun: int = 0
    """Requests that the application answers now, or is to answer."""

    accepted: int = 0
    """Connections ever accepted."""

    ready_answers: int = 0
    """Requests that the ready function answered."""

    exchanges: int = 0
    """Requests that the application was given."""

    refused: Counter[int] = field(default_factory=Counter)
    """Requests that the server itself refused, by status."""

    slow_readers: int = 0
    """Connections that were cut off because their client did not read."""

    laters: set[Later] = field(default_factory=set)
    """Ready answers that are to come."""

    @property
    def in_flight(self) -> int:
        """Requests that are being answered now, or whose body is being read, or that wait."""
        return self.begun + sum(later.clients for later in self.laters)

    @property
    def requests(self) -> int:
        """Requests with a valid head."""
        return self.ready_answers + self.exchanges


class Server:
    """Serves a `tornado.web.Application` over HTTP/1.1.

    It serves on the event loop that is current when it is made; see the package for an example.
    """

    def __init__(
        self,
        application: HTTPServerConnectionDelegate,
        *,
        options: Options | None = None,
        ready: Ready | None = None,
        ready_fields: tuple[str, ...] = (),
        may_be_ready: MayBeReady | None = None,
        own_field: str = "",
        refuse: Refuse = plain_refusal,
        ssl_options: ssl.SSLContext | dict[str, Any] | None = None,
    ) -> None:
        """Make a server that does not listen yet.

        Args:
            application: what answers: a `tornado.web.Application` or another delegate.
            options: the limits.
            ready: asked first about every plain GET, HEAD and POST, see `Ready`; None asks nobody.
            ready_fields: the header fields that ``ready`` looks at.
            may_be_ready: tells by its head whether ``ready`` may be asked about a request; see
                `MayBeReady`.
            own_field: one that only names a request, as X-Request-Id: those who differ in it alone
                share a `Later`, whose `owns` has the values. It is not among ``ready_fields``.
            refuse: renders what the server answers itself; also the place to count and log it.
            ssl_options: with them the server speaks TLS; a dictionary is taken as by
                `tornado.netutil.ssl_options_to_context`.

        Raises:
            TypeError: the application is no delegate, but a plain callable, say.
        """
        if not isinstance(application, HTTPServerConnectionDelegate):
            raise TypeError("the application must be a HTTPServerConnectionDelegate")
        self.application = application
        self.options = options or Options()
        self.ready = ready
        self.statistics = Statistics()
        self.is_draining = False
        self.idle_seconds = self.options.idle_seconds
        """How long a connection may wait for its next request."""
        # Tornado's loop around this one is made now and not by the first request, which may find
        # no file descriptor left. It need not run yet, as with Tornado's own server.
        IOLoop.current()
        self.loop = asyncio.get_event_loop()
        self.own_field = own_field
        fields = tuple(name.lower() for name in ready_fields)
        self.heads = Heads(self.options, fields, may_be_ready, own_field.lower())
        self.clock = Clock(monotonic=self.loop.time)
        self.turns = Turns(self.loop)
        # A future that is done, for writes that nobody has to wait for.
        self.done: Future[None] = self.loop.create_future()
        self.done.set_result(None)
        self._refuse = refuse
        self._tls = None if ssl_options is None else ssl_options_to_context(ssl_options, True)
        self._listeners: list[Listener] = []
        self._connections: set[Channel] = set()
        self._accepting: dict[asyncio.Task[Any], socket.socket] = {}
        self._all_closed = asyncio.Event()
        self._all_closed.set()

    # Listening.

    def listen(self, port: int, address: str = "127.0.0.1") -> list[socket.socket]:
        """Listen on a port of an address, 0 for any free one; return the sockets."""
        sockets = bind_sockets(port, address, backlog=self.options.backlog)
        self.add_sockets(sockets)
        return sockets

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Serve what arrives on listening sockets, TCP or Unix; they are closed by `stop`."""
        self.clock.start(self.loop)
        for listening in sockets:
            accepted = partial(self._accept, listening.family)
            self._listeners.append(
                Listener(listening, self.loop, accepted=accepted, has_room=self._has_room)
            )

    def stop(self) -> None:
        """Accept no more connections; those that are open go on."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()
        self._stop_after_the_last()

    async def stop_after_waiting(self) -> None:
        """Accept the connections that the kernel has made already, then stop.

        Closing the listening socket would reset them. They must be few enough for
        `Options.max_connections`.
        """
        # As many as it may have held: new ones may come as fast as they are accepted.
        for _ in range(self.options.backlog):
            if not any(listener.has_waiting for listener in self._listeners):
                break
            await asyncio.sleep(0)
        self.stop()

    async def drain(self, seconds: float, *, idle_seconds: float = 0.0) -> bool:
        """Stop, answer what is being answered, and close each connection after that answer.

        A drained server is not used again. Detached connections (WebSockets) are not its own.

        Args:
            seconds: how long this may take, beside a tenth of a second for what is on its way.
            idle_seconds: how long connections that wait for a request stay open within that time.
                A proxy that closes them sooner never sends a request to a closed one.

        Returns:
            Whether all connections are closed. Those that are not go on:
            `close_all_connections` cuts them off.
        """
        await self.stop_after_waiting()
        self.is_draining = True
        # For those whose answer began before and has promised that they go on.
        self.idle_seconds = idle_seconds = max(idle_seconds, _ARRIVAL_SECONDS)
        try:
            async with asyncio.timeout(seconds + 2 * _ARRIVAL_SECONDS):
                if self._accepting:
                    await asyncio.wait(self._accepting)
                await self._wait_for_requests(idle_seconds)
                for connection in tuple(self._connections):
                    connection.close_if_idle()
                await self._all_closed.wait()
        except TimeoutError:
            return False
        return True

    async def _wait_for_requests(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._all_closed.wait()

    async def close_all_connections(self) -> None:
        """Close all connections at once; return when they are."""
        # Not by cancelling: a connection that was made just then would never hear of its end.
        for accepted in self._accepting.values():
            with suppress(OSError):
                accepted.shutdown(socket.SHUT_RDWR)
        for connection in tuple(self._connections):
            connection.abort()
        await self._all_closed.wait()

    def _has_room(self) -> bool:
        return len(self._connections) + len(self._accepting) < self.options.max_connections

    def _accept(self, family: int, accepted: socket.socket, address: Any) -> None:
        scheme = self.options.scheme or ("http" if self._tls is None else "https")
        context = peer_context(family, address, scheme)
        protocol = Connection(self, context, is_trusted=is_trusted(context, family, self.options))
        task = self.loop.create_task(self._connect(accepted, protocol))
        self._accepting[task] = accepted
        self._all_closed.clear()
        task.add_done_callback(partial(self._connected, accepted))

    async def _connect(self, accepted: socket.socket, protocol: Connection) -> None:
        # The client's fault, as a rule: gone again, or no TLS.
        with suppress(OSError):
            await self.loop.connect_accepted_socket(
                lambda: protocol,
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=self.options.head_seconds if self._tls else None,
            )

    def _connected(self, accepted: socket.socket, task: "asyncio.Task[None]") -> None:
        del self._accepting[task]
        if task.cancelled():  # Perhaps before it had begun.
            accepted.close()
        self._stop_after_the_last()

    # What connections call.

    def opened(self, connection: Channel) -> None:
        """Count a connection."""
        self._connections.add(connection)
        self.statistics.accepted += 1
        self.statistics.connections = len(self._connections)

    def closed(self, connection: Channel) -> None:
        """Count it no longer."""
        self._connections.discard(connection)
        self.statistics.connections = len(self._connections)
        self.call(self.application.on_close, connection)
        for listener in self._listeners:
            listener.resume()
        self._stop_after_the_last()

    def call(self, function: Callable[..., T], *args: Any) -> T | None:
        """Call the owner's code; log what it raises and return None then."""
        try:
            return function(*args)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the owner's.
            self.log_fault(error)
            return None

    def log_fault(self, error: BaseException) -> None:
        """Log an error of the owner's code, where Tornado logs those of its handlers."""
        app_log.error("Uncaught exception", exc_info=error)

    def render(self, refusal: Refusal, context: Context) -> Answer:
        """Return the answer of a refusal and count it."""
        self.statistics.refused[refusal.status] += 1
        answer = self.call(self._refuse, refusal, context)
        return answer or plain_refusal(refusal, context)

    def closed_future(self) -> "Future[None]":
        """Return the future of a write into a closed connection."""
        future: Future[None] = self.loop.create_future()
        future.set_exception(StreamClosedError())
        retrieve(future)
        return future

    def _stop_after_the_last(self) -> None:
        if not self._connections and not self._accepting:
            self._all_closed.set()
            if not self._listeners:
                self.clock.stop()
