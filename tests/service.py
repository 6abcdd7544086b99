"""`run.py` as a process of its own, the way its users start it."""

import http.client
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread
from typing import IO, Any

from contract import check_answer
from ends import check_is_open

ROOT = Path(__file__).parents[1]
DEADLINE_SECONDS = 120.0
"""For everything that should take milliseconds: only a failing test waits this long."""

_BANNER = re.compile(r"Todos \S+ on http://127\.0\.0\.1:(\d+)\b")
_CRITICAL = re.compile(r'^{.*"level":"critical".*}$')


def _as_a_sentence(line: re.Match[str]) -> str:
    return f"run.py: {json.loads(line[0])['event']}"


def environment() -> dict[str, str]:
    """Return the environment of a user who has set none of the service's variables."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TODO_")}


def untraced_environment() -> dict[str, str]:
    """Return such an environment in which no process measures its coverage.

    Of processes whose lines other tests run: to start takes them half as much time again with it.
    """
    return {k: v for k, v in environment().items() if not k.startswith("COVERAGE")}


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


class _Lines:
    """The lines of a stream, read as they come by a thread of their own."""

    def __init__(self, stream: IO[str]) -> None:
        self.lines: list[str] = []
        self.ended = False
        self._stream = stream
        self._changed = Condition()
        self._thread = Thread(target=self._read)
        self._thread.start()

    def wait_for(self, what: Callable[[str], bool], seconds: float) -> str | None:
        """Return the first such line; None if the stream ends or the time is up before."""

        def find() -> str | None:
            return next((line for line in self.lines if what(line)), None)

        with self._changed:
            self._changed.wait_for(lambda: find() is not None or self.ended, seconds)
            return find()

    def join(self) -> None:
        """Wait until the stream has ended; its writer must have."""
        self._thread.join(DEADLINE_SECONDS)
        assert not self._thread.is_alive(), "somebody still holds the stream of an ended process"

    def _read(self) -> None:
        with self._stream:
            try:
                # Progress bars return to the start of their line: universal newlines split there.
                for line in self._stream:
                    self._add(line.rstrip("\n"))
            except OSError:  # EIO: how Linux reports the end of a terminal, see pty(7).
                pass
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def _add(self, line: str) -> None:
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()


class Service:
    """A running `run.py`.

    Args:
        arguments: what follows ``run.py`` on the command line.
        terminal: whether its standard error is a terminal instead of a pipe.
        variables: added to the environment.
        before: a command that runs it, such as ``env``.
        program: what is run in place of `run.py`.
        is_traced: its coverage is measured.
    """

    def __init__(
        self,
        *arguments: str,
        terminal: bool = False,
        variables: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        program: Sequence[str] = (sys.executable, "run.py"),
        is_traced: bool = True,
    ) -> None:
        master, slave = pty.openpty() if terminal else os.pipe()
        if terminal:
            termios.tcsetwinsize(slave, (24, 80))
        self.process = subprocess.Popen(
            [*before, *program, *arguments],
            cwd=ROOT,
            env={
                **(environment() if is_traced else untraced_environment()),
                **(variables or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=slave,
            text=True,
        )
        os.close(slave)
        assert self.process.stdout is not None
        self._is_for_a_person = terminal or "--log-format=console" in arguments
        self._output = _Lines(self.process.stdout)
        self._errors = _Lines(os.fdopen(master, encoding="utf-8"))
        self.port = 0

    @property
    def output(self) -> list[str]:
        """The lines on standard output so far."""
        return self._output.lines

    @property
    def log(self) -> list[str]:
        """The lines on standard error so far; the one it ends with as a terminal would show it."""
        return [_CRITICAL.sub(_as_a_sentence, line) for line in self.raw_log]

    @property
    def raw_log(self) -> list[str]:
        """The lines on standard error so far, as they are."""
        return self._errors.lines

    def wait_for_banner(self) -> None:
        """Return when requests are answered; `port` is known then."""
        # Where the log is JSON it is a line of it.
        stream = self._output if self._is_for_a_person else self._errors
        line = stream.wait_for(lambda line: bool(_BANNER.search(line)), DEADLINE_SECONDS)
        assert line is not None, f"no banner; output {self.output}, log {self.log}"
        match = _BANNER.search(line)
        assert match is not None
        self.port = int(match[1])

    def wait_for_output(self, text: str) -> None:
        """Return when a line on standard output is this text."""
        line = self._output.wait_for(lambda line: line == text, DEADLINE_SECONDS)
        assert line is not None, f"not printed: {text!r} in {self.output}"

    def wait_for_log(self, pattern: str) -> None:
        """Return when a log line holds the regular expression."""
        searched = re.compile(pattern)
        line = self._errors.wait_for(lambda line: bool(searched.search(line)), DEADLINE_SECONDS)
        assert line is not None, f"not logged: {pattern!r} in {self.log}"

    def call(
        self,
        method: str,
        target: str,
        *,
        json_body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request on a connection of its own and return the answer, checked."""
        fields = dict(headers or {})
        body = None
        if json_body is not None:
            body = json.dumps(json_body)
            fields["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)
        try:
            connection.request(method, target, body, fields)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
            if not response.will_close:
                check_is_open(connection.sock)
        finally:
            connection.close()
        check_answer(method, target, answer.status, answer.headers, answer.body)
        return answer

    def add(self, content: str) -> str:
        """Add a todo and return its id."""
        answer = self.call("POST", "/v1/todos", json_body={"content": content})
        assert answer.status == 201
        todo_id: str = answer.json()["id"]
        return todo_id

    def contents(self) -> list[str]:
        """Return what is to do, newest first."""
        answer = self.call("GET", "/v1/todos")
        assert answer.status == 200
        return [todo["content"] for todo in answer.json()["items"]]

    def connect(self) -> socket.socket:
        """Open a connection; the caller closes it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_SECONDS)

    def wait(self) -> int:
        """Wait for the process to end by itself and return its exit code."""
        code = self.process.wait(DEADLINE_SECONDS)
        self._output.join()
        self._errors.join()
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the process to end and return its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def kill(self) -> None:
        """End the process whatever it does; one that has ended already stays so."""
        self.process.kill()
        self.wait()


def run(
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    terminal: bool = False,
    is_traced: bool = True,
) -> Service:
    """Return a `run.py` that has ended by itself, with its exit code in ``process``."""
    service = Service(
        *arguments, variables=variables, before=before, terminal=terminal, is_traced=is_traced
    )
    try:
        service.process.wait(DEADLINE_SECONDS)
    finally:
        service.kill()
    assert not any("Traceback" in line for line in service.log), service.log
    return service
