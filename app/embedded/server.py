"""One server process, kept alive: started, asked until it is ready, restarted when it ends."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import ClassVar

from app.embedded.binaries import Program, find_binary
from app.embedded.directory import KEEPER_LOG, EmbeddedServersError, ServerState, rotate_log

START_DEADLINE_SECONDS = 25.0
"""mongod recovers a minute's journal at most."""

FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 30.0
"""The pause before a restart doubles from the first to the last: a failing disk is not hammered."""

ANSWER_SECONDS = 5.0
"""The slowest is replSetInitiate, 30 ms on an idle disk; this bounds a stalled or frozen server."""

LOG_MAX_BYTES = 16 * 1024 * 1024
"""Then a log is put aside in the place of the one before: weeks of a server that is well."""

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

log = logging.getLogger("keeper")


class Server(ABC):
    """A server process of the keeper's, run in the data directory, which is the working directory.

    All paths are relative to it: they stay short, and the directory may move.
    """

    program: ClassVar[Program]
    log_path: ClassVar[Path]
    reopen_signal: ClassVar[signal.Signals | None] = None
    """Has it open its log again; None where it opens it for each line."""

    def __init__(self, servers_lock: int) -> None:
        self.state = ServerState()
        self._servers_lock = servers_lock
        self._process: subprocess.Popen[bytes] | None = None
        self._start_at = 0.0
        self._give_up_at = 0.0
        self._retry_seconds = FIRST_RETRY_SECONDS

    @abstractmethod
    def arguments(self) -> list[str]:
        """Return the program's command line, without the program."""

    @abstractmethod
    def ask_version(self) -> str | None:
        """Return the server's version once it can be used; None while it cannot be yet."""

    def explain_end(self, exit_code: int) -> str:
        """Say in one sentence why the server ended instead of starting."""
        return (
            f"{self.program.name} {how_it_ended(exit_code)} instead of starting: see "
            f"{self.log_path.absolute()} and {Path(KEEPER_LOG).absolute()}."
        )

    def step(self, now: float) -> None:
        """Do what is due; called again and again, with the monotonic time in seconds."""
        if self._process is None:
            if now >= self._start_at:
                self._start(now)
        elif (exit_code := self._process.poll()) is not None:
            self._note_end(exit_code, now)
        elif self.state.version is None:
            self._look_if_ready(self._process, now)
        else:
            # Not before it is ready: a signal that it does not know yet would end it.
            self._limit_log()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self._process is not None:
            self._process.send_signal(number)

    def has_ended(self) -> bool:
        """Say whether there is no process (any more)."""
        return self._process is None or self._process.poll() is not None

    def _start(self, now: float) -> None:
        try:
            binary = find_binary(self.program)
            rotate_log(self.log_path)
            self._process = subprocess.Popen(  # noqa: S603 - a fixed command line, no shell
                [binary, *self.arguments()],
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                pass_fds=(self._servers_lock,),
                preexec_fn=partial(_end_with_keeper, os.getpid()),  # noqa: PLW1509 - see there
            )
        except EmbeddedServersError as error:
            self._fail(str(error), now)
        except (OSError, subprocess.SubprocessError) as error:
            self._fail(f"{self.program.name} cannot be started: {error}.", now)
        else:
            self._give_up_at = now + START_DEADLINE_SECONDS
            self.state = ServerState(pid=self._process.pid)

    def _look_if_ready(self, process: subprocess.Popen[bytes], now: float) -> None:
        version = self.ask_version()
        if version is not None:
            self.state = ServerState(pid=process.pid, version=version)
            self._retry_seconds = FIRST_RETRY_SECONDS
            log.info("%s %s is ready, pid %d", self.program.name, version, process.pid)
        elif now > self._give_up_at:
            process.kill()
            process.wait()
            self._process = None
            self._fail(
                f"{self.program.name} was not ready after {START_DEADLINE_SECONDS:.0f} s: see "
                f"{self.log_path.absolute()}.",
                now,
            )

    def _limit_log(self) -> None:
        with suppress(OSError):  # It has not been opened again yet, or cannot be moved.
            if self.log_path.stat().st_size > LOG_MAX_BYTES:
                rotate_log(self.log_path)
                if self.reopen_signal is not None:
                    self.signal(self.reopen_signal)

    def _note_end(self, exit_code: int, now: float) -> None:
        self._process = None
        if self.state.version is None:
            self._fail(self.explain_end(exit_code), now)
        else:
            log.error("%s %s while in use", self.program.name, how_it_ended(exit_code))
            self.state = ServerState()
            self._start_at = now + FIRST_RETRY_SECONDS

    def _fail(self, problem: str, now: float) -> None:
        # A program that is not there is looked for as long as the keeper lives; said once.
        if problem != self.state.problem:
            log.error("%s; next try in %.0f s", problem.rstrip("."), self._retry_seconds)
        self.state = ServerState(problem=problem)
        self._start_at = now + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, LAST_RETRY_SECONDS)


def how_it_ended(exit_code: int) -> str:
    """Say how a process ended, by its exit code as Python has it: of a signal, it is below 0."""
    if exit_code >= 0:
        return f"ended with code {exit_code}"
    return f"was ended by signal {-exit_code} ({signal.strsignal(-exit_code)})"


def _end_with_keeper(keeper_pid: int) -> None:
    """Have the kernel end this new child cleanly when the keeper dies: prctl(2).

    It is the *thread* that started the child whose death counts: the keeper's main one. Nothing
    here needs a lock that a thread of a MongoClient just closed, gone in half a second, could hold.
    """
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # The keeper may have died before the request was made; nobody would be told.
    if os.getppid() != keeper_pid:
        os._exit(1)
