"""Accepts connections from a listening socket."""

import asyncio
import errno
import logging
import select
import socket
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

_ACCEPTS_PER_TURN = 8
"""Connections that are accepted before those that are open have their turn. Each takes 0.04 ms that
the others wait, and 0.09 ms for its first request; but with fewer a busy server takes longer to let
many clients in (docs/decisions/0005)."""

_PAUSE_SECONDS = 0.5
"""After a failed accept: trying again at once would be a busy loop."""

# accept(2): these are the network's faults, found before the connection was ours.
_PASSING = frozenset({
    errno.ECONNABORTED, errno.ENETDOWN, errno.EPROTO, errno.ENOPROTOOPT, errno.EHOSTDOWN,
    errno.EHOSTUNREACH, errno.EOPNOTSUPP, errno.ENETUNREACH, errno.EINTR,
})  # fmt: skip


class Listener:
    """Accepts from one socket, as long as there is room for more connections."""

    def __init__(
        self,
        listening: socket.socket,
        loop: asyncio.AbstractEventLoop,
        *,
        accepted: Callable[[socket.socket, Any], None],
        has_room: Callable[[], bool],
    ) -> None:
        """Begin to accept.

        Args:
            listening: a socket that listens; it is closed by `close`.
            loop: the loop that tells when a connection is waiting.
            accepted: takes a connection's socket and its peer's address.
            has_room: is asked before each connection; while it says no, the kernel holds them.
        """
        listening.setblocking(False)
        self._listening = listening
        self._loop = loop
        self._accepted = accepted
        self._has_room = has_room
        self._retry: asyncio.TimerHandle | None = None
        self._is_failing = False
        self._is_closed = False
        loop.add_reader(listening, self._accept)

    @property
    def has_waiting(self) -> bool:
        """Tell whether the kernel has connections that are not accepted yet."""
        poll = select.poll()
        poll.register(self._listening, select.POLLIN)
        return bool(poll.poll(0))

    def resume(self) -> None:
        """Accept again: there may be room now."""
        if self._retry is not None and not self._is_failing:
            self._try_again()

    def close(self) -> None:
        """Accept no more and close the socket."""
        self._is_closed = True
        self._loop.remove_reader(self._listening)
        if self._retry is not None:
            self._retry.cancel()
        self._listening.close()

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            if not self._accept_one():
                return

    def _accept_one(self) -> bool:
        """Accept a connection; tell whether another one may be asked for at once."""
        if self._is_closed:
            return False
        if not self._has_room():
            self._pause()
            return False
        try:
            connection, address = self._listening.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _PASSING:
                return True
            if not self._is_failing:
                log.warning("cannot accept connections: %s", error.strerror)
            self._is_failing = True
            self._pause()
            return False
        self._is_failing = False
        connection.setblocking(False)
        self._accepted(connection, address)
        return True

    def _pause(self) -> None:
        self._loop.remove_reader(self._listening)
        self._retry = self._loop.call_later(_PAUSE_SECONDS, self._try_again)

    def _try_again(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._loop.add_reader(self._listening, self._accept)
