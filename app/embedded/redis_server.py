"""The keeper's redis-server: a cache, nothing durable in it."""

import socket
from pathlib import Path

from app.embedded.binaries import REDIS_SERVER
from app.embedded.directory import REDIS_SOCKET
from app.embedded.server import ANSWER_SECONDS, Server

MEMORY_MAX_MEGABYTES = 256
"""Some hundred thousand cached answers; beyond it those nearest their end go first."""


class RedisServer(Server):
    """A redis-server on a Unix socket, without a port and without persistence."""

    program = REDIS_SERVER
    log_path = Path("redis.log")

    def arguments(self) -> list[str]:
        """Return redis-server's command line."""
        return [
            *("--port", "0"),
            *("--unixsocket", REDIS_SOCKET),
            *("--unixsocketperm", "700"),
            *("--save", ""),
            *("--appendonly", "no"),
            *("--dir", "."),
            *("--logfile", str(self.log_path)),
            *("--maxmemory", f"{MEMORY_MAX_MEGABYTES}mb"),
            *("--maxmemory-policy", "volatile-ttl"),
        ]

    def ask_version(self) -> str | None:
        """Return the version from the answer to INFO; None while there is no whole answer."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_SECONDS)
                connection.connect(REDIS_SOCKET)
                connection.sendall(b"INFO server\r\n")
                for line in connection.makefile("rb"):
                    name, _, value = line.partition(b":")
                    if name == b"redis_version":
                        return value.decode().strip()
        except OSError:
            pass
        return None
