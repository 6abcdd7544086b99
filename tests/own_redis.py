"""A redis-server that a test may freeze, kill, empty and start again."""

import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.embedded.binaries import REDIS_SERVER, find_binary

_LARGEST_ANSWER_BYTES = 64


class OwnRedis:
    """A redis-server on a Unix socket in a directory; not started by itself."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._socket = directory / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    def start(self, *options: str) -> None:
        """Start it, empty, and wait until it answers."""
        arguments = ("--port", "0", "--unixsocket", "redis.sock", "--save", "", *options)
        self._process = subprocess.Popen(
            [find_binary(REDIS_SERVER), *arguments, "--logfile", "log"], cwd=self._directory
        )
        while not self._answers():
            assert self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, frozen or not."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator[None]:
        """Stop it as it is; its socket takes connections and bytes, and nothing comes back."""
        self.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                # A server with a password answers that it wants one.
                return connection.recv(_LARGEST_ANSWER_BYTES) != b""
        except OSError:
            return False
