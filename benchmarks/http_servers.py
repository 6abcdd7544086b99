"""The servers that ``benchmarks.http`` compares, and how one of them is run."""

import getpass
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from string import Template
from typing import Literal

import psutil

from benchmarks.http_machine import ROOT, BenchmarkError, find_program, peer_program
from benchmarks.peers.body import BODY, CONTENT_TYPE, TARGET

PEERS = Path(__file__).parent / "peers"
DISTINCT_HEADS = PEERS / "distinct_heads.lua"
ANSWER_DEADLINE_SECONDS = 20.0
STOP_DEADLINE_SECONDS = 5.0

Kind = Literal["ours", "tornado", "python", "yardstick"]

Command = Callable[[int, Path], list[str]]
"""Makes a command line from a port of 127.0.0.1 and an empty folder."""


@dataclass(frozen=True)
class Contender:
    """A server to measure, or the same server under another load."""

    name: str
    """For ``--only`` and for the raw figures."""

    title: str
    kind: Kind
    command: Command
    script: Path | None = None
    """What wrk shall send in place of the same request again and again."""


def _tornado(core: str) -> Command:
    module = "benchmarks.peers.tornado_app"
    return lambda port, _folder: [sys.executable, "-m", module, core, str(port)]


def peer_module(name: str) -> Command:
    """Run a module of the peers, which is told its port."""
    module = f"benchmarks.peers.{name}"
    return lambda port, _folder: [peer_program("python"), "-m", module, str(port)]


def uvicorn(name: str) -> Command:
    """Run an ASGI application of the peers as fast as uvicorn does."""
    flags = "--loop=uvloop --http=httptools --lifespan=off --backlog=2048"
    quiet = "--no-access-log --no-proxy-headers --log-level=warning"
    application = f"benchmarks.peers.{name}:application"
    return lambda port, _folder: [
        *(peer_program("uvicorn"), application, f"--port={port}", *flags.split(), *quiet.split())
    ]


def _granian(name: str) -> Command:
    flags = "--interface=asginl --loop=uvloop --http=1 --workers=1 --runtime-threads=1"
    quiet = "--backlog=2048 --no-ws --no-access-log --log-level=warning"
    application = f"benchmarks.peers.{name}:application"
    return lambda port, _folder: [
        *(peer_program("granian"), application, f"--port={port}", *flags.split(), *quiet.split())
    ]


def gunicorn(name: str) -> Command:
    """Run a WSGI application of the peers on gevent, in one process."""
    flags = "--worker-class=gevent --workers=1 --worker-connections=4096 --backlog=2048"
    application = f"benchmarks.peers.{name}:application"
    quiet = "--log-level=warning"
    return lambda port, _folder: [
        *(peer_program("gunicorn"), application, f"--bind=127.0.0.1:{port}", *flags.split(), quiet)
    ]


def nginx(body: bytes, *, access_log: bool = False) -> Command:
    """Serve this body as a static file; the access log is written as `conf/nginx` does it."""
    return partial(_nginx, body, access_log)


def _nginx(body: bytes, access_log: bool, port: int, folder: Path) -> list[str]:
    (folder / "files").mkdir()
    (folder / "files" / TARGET.removeprefix("/")).write_bytes(body)
    configuration = folder / "nginx.conf"
    template = Template((PEERS / "nginx.conf").read_text(encoding="utf-8"))
    # A worker of root's nginx is another user, who may not enter the folder.
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    configuration.write_text(
        template.substitute(
            folder=folder,
            port=port,
            user=user,
            content_type=CONTENT_TYPE,
            access_log=f"{folder}/access.log combined buffer=4k flush=1s" if access_log else "off",
        ),
        encoding="utf-8",
    )
    return [find_program("nginx"), "-p", str(folder), "-c", str(configuration), "-e", "stderr"]


CONTENDERS = (
    Contender("nginx", "nginx, static file", "yardstick", nginx(BODY)),
    Contender(
        "nginx-distinct",
        "nginx, every head different",
        "yardstick",
        nginx(BODY),
        DISTINCT_HEADS,
    ),
    Contender("ready", "ours, ready answers", "ours", _tornado("ready")),
    Contender(
        "ready-distinct",
        "ours, ready answers, every head different",
        "ours",
        _tornado("ready"),
        DISTINCT_HEADS,
    ),
    Contender("road", "ours, RequestHandler road", "ours", _tornado("road")),
    Contender("tornado", "stock Tornado, same application", "tornado", _tornado("stock")),
    Contender("tornado-uvloop", "stock Tornado on uvloop", "tornado", _tornado("stock-uvloop")),
    Contender("fastapi", "FastAPI on uvicorn", "python", uvicorn("fastapi_app")),
    Contender("falcon", "Falcon on uvicorn", "python", uvicorn("falcon_app")),
    Contender("sanic", "Sanic", "python", peer_module("sanic_app")),
    Contender("aiohttp", "aiohttp on uvloop", "python", peer_module("aiohttp_app")),
    Contender("flask", "Flask on gunicorn + gevent", "python", gunicorn("flask_app")),
    Contender("granian", "granian (Rust), Falcon", "yardstick", _granian("falcon_app")),
    Contender("granian-bare", "granian (Rust), bare ASGI", "yardstick", _granian("bare_asgi_app")),
)


@dataclass(frozen=True)
class Running:
    """A server that has answered as it should."""

    port: int
    process: psutil.Process
    head_bytes: int
    """Size of its answers without the body."""

    def cpu_seconds(self) -> float:
        """Return the time that the server has computed, its child processes included."""
        tree = [self.process, *self.process.children(recursive=True)]
        return sum(sum(member.cpu_times()[:2]) for member in tree)


@contextmanager
def running(
    contender: Contender, cpu: int, folder: Path, check: Callable[[int], int] | None = None
) -> Iterator[Running]:
    """Run a server on one CPU until the block is left; give it once its answer is right.

    Args:
        contender: what it is.
        cpu: where it runs.
        folder: to be made, for its files and its log.
        check: asks the server on a port and returns the size of its answer's head; asked again
            while the server cannot be reached. Without one, every answer must be `BODY`.

    Raises:
        BenchmarkError: it ended, or gave no answer in time or another answer than all others, when
            it was started or after the block.
    """
    folder.mkdir()
    log = folder / "log"
    port = _free_port()
    command = [find_program("taskset"), "-c", str(cpu), *contender.command(port, folder)]
    with log.open("wb") as output:
        # A session of its own: Ctrl-C reaches us alone, and no child of the server is missed.
        process = subprocess.Popen(  # noqa: S603 - one of the commands above.
            command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
        )
    try:
        head_bytes = _wait_for_answer(process, port, check or _check_answers)
        yield Running(port, psutil.Process(process.pid), head_bytes)
        # A load must not have broken it: wrk does not notice connections that get no answer.
        _wait_for_answer(process, port, check or _check_answers)
    except BenchmarkError as error:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise BenchmarkError(f"{contender.title}: {error}\n{tail}") from error
    finally:
        _stop(process)
        for written in folder.glob("*log"):
            written.unlink()  # Access logs of a minute at full speed fill gigabytes.


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_answer(
    process: subprocess.Popen[bytes], port: int, check: Callable[[int], int]
) -> int:
    """Return the size of the answer's head once there is an answer; raises as `running` does."""
    deadline = time.monotonic() + ANSWER_DEADLINE_SECONDS
    while True:
        try:
            return check(port)
        except (OSError, HTTPException) as error:
            _require_running(process)
            if time.monotonic() > deadline:
                raise BenchmarkError(f"no answer in {ANSWER_DEADLINE_SECONDS:.0f} s") from error
            time.sleep(0.05)


def _require_running(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        raise BenchmarkError(f"ended by itself with {process.returncode}")


def _check_answers(port: int) -> int:
    bodies, head_bytes = ask_twice(port, TARGET)
    for body in bodies:
        if body != BODY:
            raise BenchmarkError(f"answered with {body[:200]!r}")
    return head_bytes


def ask_twice(port: int, target: str) -> tuple[list[bytes], int]:
    """Ask twice on one connection, as the load does; return the bodies and the size of a head.

    Raises:
        BenchmarkError: an answer is not 200 with JSON, or ended the connection.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    bodies = []
    try:
        connection.connect()
        first_socket = connection.sock
        for _ in range(2):
            connection.request("GET", target)
            response = connection.getresponse()
            bodies.append(response.read())
            if response.status != 200:
                raise BenchmarkError(f"answered {response.status} with {bodies[-1][:200]!r}")
            if response.headers.get_content_type() != CONTENT_TYPE:
                raise BenchmarkError(f"answered with {response.headers.get_content_type()}")
            if connection.sock is not first_socket:
                raise BenchmarkError("closed the connection after an answer")
    finally:
        connection.close()
    fields = sum(len(f"{name}: {value}\r\n") for name, value in response.headers.items())
    return bodies, len(f"HTTP/1.1 {response.status} {response.reason}\r\n\r\n") + fields


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_DEADLINE_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        # Whatever the first signal left of its session, children included.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
