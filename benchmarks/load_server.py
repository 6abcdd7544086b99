"""A server to put under load, in a process of its own so that its memory is its own.

``python -m benchmarks.load_server '{"head_seconds": 1}'`` serves on a free port of 127.0.0.1, on
uvloop, with these `app.httpserver.Options`, and prints the port. It answers:

===========  ======================================================================
``/``        ``road N`` by a RequestHandler; N is the query
``/ready``   ``ready N`` by the ready function
``/large``   4 MiB, part by part at the client's speed
``/state``   what the process holds, as JSON; see `State`
===========  ======================================================================
"""

import asyncio
import gc
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.request import urlopen

import psutil
import uvloop
from tornado.iostream import StreamClosedError
from tornado.web import Application, RequestHandler

from app.httpserver import Answer, Options, ReadyRequest, Server

ROOT = Path(__file__).parent.parent
PART_BYTES = 16384
PARTS = 256
SEND_BUFFER_BYTES = 16384
STOP_DEADLINE_SECONDS = 10.0
_READY = "/ready"


@dataclass(frozen=True)
class State:
    """What a server's process holds, after a garbage collection."""

    rss_bytes: int
    descriptors: int
    tasks: int
    objects: int
    """Objects that the garbage collector tracks."""

    connections: int
    large_bytes: int
    """Bytes of ``/large`` that were handed over to the server, by all requests."""


@dataclass(frozen=True)
class LoadServer:
    """A server that runs."""

    port: int
    pid: int

    def state(self) -> State:
        """Ask for its state, on a connection of its own."""
        with urlopen(f"http://127.0.0.1:{self.port}/state", timeout=30) as answer:
            return State(**json.load(answer))

    def rss_bytes(self) -> int:
        """Return its resident memory without asking it."""
        rss: int = psutil.Process(self.pid).memory_info().rss
        return rss

    def forget_peak(self) -> None:
        """Let `peak_bytes` begin anew (Linux, proc(5): clear_refs)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")

    def peak_bytes(self) -> int:
        """Return the most resident memory that it has had since `forget_peak` (Linux)."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        (line,) = [line for line in lines if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024


@contextmanager
def load_server(**options: float) -> Iterator[LoadServer]:
    """Run a server with `app.httpserver.Options` until the block is left."""
    # What measures coverage or checks allocations in our own process is not to be measured.
    environment = {key: value for key, value in os.environ.items() if "COVERAGE" not in key}
    process = subprocess.Popen(  # noqa: S603 - this file.
        [sys.executable, "-m", "benchmarks.load_server", json.dumps(options)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if process.stdout is None:
            raise RuntimeError("the server's output is no pipe")
        with process.stdout:
            yield LoadServer(int(process.stdout.readline()), process.pid)
    finally:
        process.kill()
        process.wait(STOP_DEADLINE_SECONDS)


class Road(RequestHandler):
    """The ordinary road."""

    def get(self) -> None:
        """Answer with the query."""
        self.finish(f"road {self.request.query}")


class Large(RequestHandler):
    """An answer for slow readers."""

    handed_over = 0

    async def get(self) -> None:
        """Send part by part."""
        part = bytes(PART_BYTES)
        self.set_header("Content-Length", PART_BYTES * PARTS)
        with suppress(StreamClosedError):  # The client has read enough.
            for _ in range(PARTS):
                self.write(part)
                Large.handed_over += PART_BYTES
                await self.flush()


class StateHandler(RequestHandler):
    """The state of the process."""

    def get(self) -> None:
        """Collect garbage and answer with a `State`."""
        gc.collect()
        process = psutil.Process()
        state = State(
            rss_bytes=process.memory_info().rss,
            descriptors=process.num_fds(),
            tasks=len(asyncio.all_tasks()),
            objects=len(gc.get_objects()),
            connections=self.settings["server"].statistics.connections,
            large_bytes=Large.handed_over,
        )
        self.finish(asdict(state))


def _ready(asked: ReadyRequest) -> Answer | None:
    path, _, query = asked.target.partition("?")
    return Answer.build(HTTPStatus.OK, (), f"ready {query}".encode()) if path == _READY else None


async def main(options: Options) -> None:
    """Serve until the process is ended."""
    application = Application([("/", Road), ("/large", Large), ("/state", StateHandler)])
    application.settings["log_function"] = lambda _handler: None
    server = Server(application, options=options, ready=_ready)
    application.settings["server"] = server
    (listening,) = server.listen(0)
    # Inherited by connections: what is unsent shall be our memory, not the kernel's.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    print(listening.getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(Options(**json.loads(sys.argv[1]))))
