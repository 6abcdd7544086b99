"""nginx on a node of its own, as `run.py up` writes it, and what a client can do to it."""

import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from service import DEADLINE_SECONDS, Answer
from tornado.testing import bind_unused_port

from app.node.nginx import Ports, make_certificate, write_configuration
from handlers.representation import ALWAYS

T = TypeVar("T")

CLIENT = "127.0.0.1"
STRANGER = "127.0.0.2"
"""A client that is on no list."""

_POLL_SECONDS = 0.01
_ATTEMPTS = 5


def program() -> str:
    """Return the path of nginx, which must be there."""
    path = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    assert path is not None, "there is no nginx here: apt-get install nginx"
    return path


def wait_for(what: Callable[[], T]) -> T:
    """Return the first true value that a function returns."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := what()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(_POLL_SECONDS)
    return found


def free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens."""
    opened = [bind_unused_port() for _ in range(count)]
    for listening, _ in opened:
        listening.close()
    return [port for _, port in opened]


class Front:
    """A running nginx.

    Args:
        folder: of its node; made.
        app_ports: of the processes behind it.
        edits: for a file of the configuration, texts in it and what stands in their places.
    """

    def __init__(
        self,
        folder: Path,
        app_ports: Sequence[int],
        edits: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.folder = folder
        self.conf = folder / "conf/nginx"
        self.static = folder / "static"
        for name in ("run", "log", "static"):
            (folder / name).mkdir(parents=True)
        self._app_ports = app_ports
        self._edits = edits or {}
        self._start()

    def _start(self) -> None:
        for _ in range(_ATTEMPTS):  # Somebody else may take a port before nginx does.
            self.ports = Ports(*free_ports(3))
            write_configuration(self.conf, ports=self.ports, app_ports=self._app_ports)
            make_certificate(self.conf)
            for name, texts in self._edits.items():
                self.edit(name, texts)
            self.process = self._open()
            wait_for(lambda: self._answers() or self.process.poll() is not None)
            if self.process.poll() is None:
                return
            assert "Address already in use" in self.errors(), self.errors()
        raise AssertionError(self.errors())

    def _open(self) -> "subprocess.Popen[bytes]":
        log = self.folder / "log"
        with (log / "access.log").open("wb") as access, (log / "error.log").open("wb") as errors:
            return subprocess.Popen(
                [program(), "-p", self.folder, "-c", "conf/nginx/nginx.conf"],
                stdin=subprocess.DEVNULL,
                stdout=access,
                stderr=errors,
            )

    def edit(self, name: str, texts: Mapping[str, str]) -> None:
        """Put other texts in place of some that must stand in a file."""
        file = self.conf / name
        text = file.read_text()
        for old, new in texts.items():
            assert old in text, f"{name} has no {old}"
            text = text.replace(old, new)
        file.write_text(text)

    def reload(self) -> None:
        """Let it read its configuration again, and wait until the new one is in force."""
        before = self.worker_pids()
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: not before & self.worker_pids() or None)

    def worker_pids(self) -> set[int]:
        """Return the processes that serve."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return set(map(int, children.read_text().split()))

    def stop(self) -> int:
        """End it after the requests in progress; return its exit code."""
        self.process.send_signal(signal.SIGQUIT)
        try:
            return self.process.wait(DEADLINE_SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        if self.process.poll() is None:
            self.process.terminate()  # Kills its workers; they would outlive it after SIGKILL.
        self.process.wait(DEADLINE_SECONDS)

    def errors(self) -> str:
        """Return its error log so far."""
        return (self.folder / "log/error.log").read_text()

    def call(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        json_body: Any = None,
        source: str = CLIENT,
        tls: bool = False,
        port: int | None = None,
    ) -> Answer:
        """Send a request on a connection of its own and return the answer."""
        fields = dict(headers or {})
        if json_body is not None:
            body = json.dumps(json_body).encode()
            fields.setdefault("Content-Type", "application/json")
        connection = self.connection(source=source, tls=tls, port=port)
        with closing(connection):
            connection.request(method, target, body, fields)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def connection(
        self, *, source: str = CLIENT, tls: bool = False, port: int | None = None
    ) -> http.client.HTTPConnection:
        """Return a connection for several requests; the caller closes it."""
        if tls:
            return http.client.HTTPSConnection(
                "localhost",
                port or self.ports.tls,
                timeout=DEADLINE_SECONDS,
                context=self.trusting(),
            )
        return http.client.HTTPConnection(
            "127.0.0.1",
            port or self.ports.http,
            timeout=DEADLINE_SECONDS,
            source_address=(source, 0),
        )

    def trusting(self) -> ssl.SSLContext:
        """Return a TLS client's context that trusts the node's certificate, and no other."""
        return ssl.create_default_context(cafile=str(self.conf / "certificate.pem"))

    def connect(self, *, source: str = CLIENT, port: int | None = None) -> socket.socket:
        """Open a connection for bytes; the caller closes it."""
        return socket.create_connection(
            ("127.0.0.1", port or self.ports.http), DEADLINE_SECONDS, source_address=(source, 0)
        )

    def send(self, data: bytes, *, source: str = CLIENT, port: int | None = None) -> Answer:
        """Send bytes and read one answer."""
        with self.connect(source=source, port=port) as connection:
            connection.sendall(data)
            return read_answer(connection)

    def access_lines(self) -> Iterator[dict[str, Any]]:
        """Return what is in the access log so far."""
        for line in (self.folder / "log/access.log").read_bytes().splitlines():
            yield json.loads(line)

    def access_line(self, request_id: str) -> dict[str, Any]:
        """Return the line of a request."""

        def find() -> dict[str, Any] | None:
            return next((n for n in self.access_lines() if n["request_id"] == request_id), None)

        found = wait_for(find)
        assert found is not None
        return found

    def _answers(self) -> bool:
        try:
            with closing(self.connection()) as connection:
                connection.request("GET", "/nginx_status")
                return connection.getresponse().status == 200
        # Until nginx listens, the kernel may give the client that port as its own, and the client
        # then reads what it has sent: TCP's simultaneous open (RFC 9293, section 3.5).
        except (OSError, http.client.HTTPException):
            return False


def read_answer(connection: socket.socket, method: str = "GET") -> Answer:
    """Read one answer to a method."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    return Answer(response.status, response.headers, response.read())


def check_problem(answer: Answer, status: int, *, kind: str = "about:blank") -> dict[str, Any]:
    """Fail unless an answer is a problem that nginx tells; return it."""
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == ALWAYS["Content-Security-Policy"]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert len(answer.headers.get_all("X-Request-Id", [])) == 1
    problem: dict[str, Any] = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "instance"}
    assert problem["type"] == kind
    assert problem["title"] != "Error"
    assert problem["status"] == status
    assert problem["instance"] == f"urn:request:{answer.headers['X-Request-Id']}"
    assert (answer.headers["Retry-After"] is not None) == (status in (429, 503))
    return problem
