"""The service as it runs in earnest: some processes, one MongoDB, one Redis; any can be ended."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import sample
from typing import IO
from urllib.request import urlopen

from node_faults import hits, wait_for
from redis import Redis
from redis.exceptions import RedisError
from service import ROOT, untraced_environment

from app.embedded import join_servers
from app.embedded.binaries import REDIS_SERVER, find_binary

_START_SECONDS = 120.0
_POLL_SECONDS = 0.02
_STOP_SECONDS = 120.0
_PORTS = range(20_000, 32_000)
"""Below the ephemeral range, see ip(7)."""


class Program:
    """A process of ours that is started again and again, and found again at one address."""

    name = ""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """Return the command line."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Tell whether it does what it is there for."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it; see `wait`."""
        with self._log.open("ab") as log:
            self._process = self._open(log)

    def wait(self) -> None:
        """Return when it answers."""
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while True:
            is_answered = self.answers()
            code = self._process.poll()
            assert code is None, f"{self.name} ended with {code}: see {self._log}"
            if is_answered:
                return
            assert time.monotonic() < deadline, f"{self.name} does not answer: see {self._log}"
            time.sleep(_POLL_SECONDS)

    def kill(self) -> None:
        """End it without warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Stop it where it is."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to end, and see that it does."""
        if self._process is None or self._process.poll() is not None:
            return
        self.resume()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _open(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        # Killed processes measure no coverage; those that live would only be slower.
        return subprocess.Popen(
            self.command(),
            cwd=ROOT,
            env=untraced_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )


class RedisProgram(Program):
    """A Redis on a Unix socket; started again it is empty."""

    name = "redis"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "redis.log")
        self._socket = folder / "redis.sock"
        self.url = f"unix://{self._socket}"

    def command(self) -> list[str]:
        return [
            find_binary(REDIS_SERVER),
            *("--port", "0"),
            *("--unixsocket", str(self._socket)),
            *("--save", ""),
            *("--appendonly", "no"),
            *("--maxmemory", "256mb"),
            *("--maxmemory-policy", "volatile-ttl"),
            *("--logfile", str(self._log)),
        ]

    def answers(self) -> bool:
        with suppress(RedisError), Redis(unix_socket_path=str(self._socket)) as client:
            return bool(client.ping())
        return False

    def flush(self) -> None:
        """Forget everything."""
        with Redis(unix_socket_path=str(self._socket)) as client:
            client.flushall()


class ServiceProgram(Program):
    """A process of the service, always on the same port."""

    def __init__(
        self, number: int, port: int, script: str, flags: tuple[str, ...], folder: Path
    ) -> None:
        super().__init__(folder / f"service-{number}.log")
        self.name = f"service {number}"
        self.port = port
        self._script = script
        self._flags = flags

    def command(self) -> list[str]:
        return [
            *(sys.executable, self._script, f"--port={self.port}", "--host=127.0.0.1"),
            *("--no-access-log", "--log-level=warning", *self._flags),
        ]

    def answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_START_SECONDS)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


class Stack:
    """All of it, running.

    Attributes:
        services: the processes of the service.
        redis: the Redis.
        mongo_uri: the database, in a MongoDB that is left alone.
        folder: where the logs are.
    """

    def __init__(
        self, services: list[ServiceProgram], redis: RedisProgram, mongo_uri: str, folder: Path
    ) -> None:
        self.services = services
        self.redis = redis
        self.mongo_uri = mongo_uri
        self.folder = folder

    @property
    def ports(self) -> list[int]:
        """Where the service is asked."""
        return [service.port for service in self.services]

    def wait(self) -> None:
        """Return when every process answers."""
        for program in (self.redis, *self.services):
            program.wait()

    def wait_until_caches_are_used(self) -> None:
        """Ask until all processes answer from their caches: some seconds where Redis is new."""
        for port in self.ports:
            wait_for(partial(_has_hit, port), f"{port} answers from its cache")


def _has_hit(port: int) -> bool:
    urlopen(f"http://127.0.0.1:{port}/todo", timeout=_START_SECONDS).close()
    return hits(port) > 0


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, and that the kernel gives to nobody unasked.

    A port of the ephemeral range could be taken while its service is dead: by another program, or
    by a client of ours that tries to connect to it, and would then be connected to itself.
    """
    ports: list[int] = []
    for port in sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise AssertionError("there is no free port")


@contextmanager
def running_stack(
    folder: Path, *, processes: int, mongo_uri: str | None = None, script: str = "run.py"
) -> Iterator[Stack]:
    """Give a stack until the block is left.

    Args:
        folder: for logs, sockets and data; its path must be short (unix(7)).
        processes: of the service.
        mongo_uri: a database of this run's own; None to start a MongoDB too.
        script: what the service is started with.
    """
    with ExitStack() as held:
        if mongo_uri is None:
            servers = held.enter_context(join_servers(folder / "servers", need_redis=False))
            mongo_uri = servers.mongo_uri
        redis = RedisProgram(folder)
        flags = ("--mongo-uri", mongo_uri, "--redis-url", redis.url)
        services = [
            ServiceProgram(at, port, script, flags, folder)
            for at, port in enumerate(_free_ports(processes))
        ]
        for program in (redis, *services):
            held.callback(program.stop)
            program.start()
            if program is redis:
                program.wait()
        stack = Stack(services, redis, mongo_uri, folder)
        stack.wait()
        yield stack
