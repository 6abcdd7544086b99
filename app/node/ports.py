"""Ports of this machine."""

import socket
from collections import Counter
from collections.abc import Mapping
from itertools import count

from app.node.layout import NodeError

HIGHEST = 65_535


def choose(
    given: Mapping[str, int | None], *, defaults: Mapping[str, int], lengths: Mapping[str, int]
) -> dict[str, int]:
    """Return a first port for each name: what was given, else the next from the default on.

    Args:
        given: the ports that somebody wishes; None where nobody does.
        defaults: where to look for those from, upwards.
        lengths: how many ports in a row belong to each name.
    """
    chosen = {name: port for name, port in given.items() if port is not None}
    taken = {port for name in chosen for port in _row(chosen[name], lengths[name])}
    for name, default in defaults.items():
        if name not in chosen:
            rows = (_row(first, lengths[name]) for first in count(default))
            row = next(row for row in rows if taken.isdisjoint(row))
            chosen[name] = row.start
            taken.update(row)
    return chosen


def _row(first: int, length: int) -> range:
    return range(first, first + length)


def require_usable(ports: Mapping[str, int]) -> None:
    """Raise `NodeError` if one of these ports cannot be listened on.

    Args:
        ports: by the flags that name them.
    """
    times = Counter(ports.values())
    for flag, port in ports.items():
        if not 1 <= port <= HIGHEST:
            raise NodeError(f"{flag}: there is no port {port}")
        if times[port] > 1:
            flags = " and ".join(other for other in ports if ports[other] == port)
            raise NodeError(f"{flags} are both port {port}")
        require_free(port, flag)


def require_free(port: int, flag: str = "") -> None:
    """Raise `NodeError` if somebody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            prefix = f"{flag}: " if flag else ""
            raise NodeError(f"{prefix}port {port} cannot be used: {error.strerror}") from None
