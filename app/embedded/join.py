"""The user's side: use the servers that run, or have a keeper start them."""

import logging
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from app.embedded import room
from app.embedded.binaries import MONGOD, REDIS_SERVER
from app.embedded.directory import (
    KEEPER_LOCK,
    KEEPER_LOG,
    MONGOD_SOCKET,
    REDIS_SOCKET,
    USERS_LOCK,
    EmbeddedServersError,
    ServerState,
    is_in_place,
    open_data_directory,
    open_lock,
    read_state,
    rotate_log,
    try_lock,
)
from app.embedded.mongod import Mongod, has_data

JOIN_DEADLINE_SECONDS = 60.0
"""A start takes about a second; a keeper silent for this long is stuck or frozen.

Longer than all that a keeper waits for, one after the other, before it says why a server does not
start (tests/unit/test_embedded_deadlines.py adds it up): who joins it shall hear that."""

POLL_SECONDS = 0.004

RETRY_SECONDS = 5.0
"""Before another keeper is tried where one ended at once: a full disk is not hammered."""

log = logging.getLogger(__name__)

_IMPORT_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class EmbeddedServers:
    """Where the servers are; one that was not needed may not run."""

    mongo_uri: str
    redis_url: str
    description: str
    """For people: names, versions and process ids of those needed."""

    look_after: Callable[[], None]
    """Starts another keeper if the one before has ended; to be called now and then, in a thread.

    Raises `EmbeddedServersError` where the data directory has been removed or moved: the servers
    have ended with it, or cannot be reached.
    """


@contextmanager
def join_servers(
    data_dir: Path,
    *,
    need_mongo: bool = True,
    need_redis: bool = True,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[EmbeddedServers]:
    """Use the servers of a data directory, started if they do not run, until the block is left.

    Redis is started for everybody, mongod if the first user needs it; who does not need one
    neither waits for it nor minds if it cannot be had. They end when the last of their users has
    left or died. `on_wait` is told, in a few words, what is being waited for; it is not called when
    there is nothing to wait for.

    Raises:
        EmbeddedServersError: one needed cannot be had; the text is one sentence for the user.
    """
    needs = ((MONGOD.name, need_mongo), (REDIS_SERVER.name, need_redis))
    needed = [name for name, is_needed in needs if is_needed]
    with ExitStack() as held:
        try:
            data_dir = open_data_directory(data_dir)
            joining = _Joining(data_dir, needed, on_wait or (lambda _: None))
            # Closed, never unlocked: a forked child that still has the file open is a user too.
            held.callback(os.close, joining.users_lock)
            servers = joining.join()
        except OSError as error:
            raise EmbeddedServersError(
                f"The data directory {data_dir} cannot be used ({error.strerror}): "
                f"give another --data-dir."
            ) from error
        yield servers


class _Joining:
    """One user of the servers. Why it holds against races: see `app.embedded.keeper`."""

    def __init__(self, data_dir: Path, needed: list[str], on_wait: Callable[[str], None]) -> None:
        self._data_dir = data_dir
        self._needed = needed
        self._on_wait = on_wait
        self._last_wait = ""
        self._give_up_at = time.monotonic() + JOIN_DEADLINE_SECONDS
        self._started_keeper = False
        self._running: set[str] = set()
        self._retry_at = 0.0
        self._trouble = ""
        self.users_lock = open_lock(data_dir / USERS_LOCK)

    def join(self) -> EmbeddedServers:
        """Return the servers once all that are needed are ready."""
        while not try_lock(self.users_lock, shared=True):
            self._wait("the servers to stop that nobody used any more")
        while True:
            state = read_state(self._data_dir)
            if state is None:
                self._start_keeper_unless_there_is_one()
            else:
                if not state.keys() >= set(self._needed):
                    raise EmbeddedServersError(
                        f"A service with a --mongo-uri of its own uses {self._data_dir}, where no "
                        f"mongod runs for now: stop it first, or give another --data-dir."
                    )
                servers = {name: state[name] for name in self._needed}
                for server in servers.values():
                    if server.problem is not None:
                        raise EmbeddedServersError(server.problem)
                if all(server.version is not None for server in servers.values()):
                    # Whether a keeper that is started later lives is another question.
                    self._started_keeper = False
                    return self._describe(servers)
            self._wait(" and ".join(self._needed) + " to start")

    def look_after(self) -> None:
        """See `EmbeddedServers.look_after`."""
        if not is_in_place(self.users_lock, self._data_dir / USERS_LOCK):
            raise EmbeddedServersError(
                f"The data directory {self._data_dir} was removed or moved while its servers were "
                f"in use: put it back in its place if its todos are wanted, and start again."
            )
        try:
            self._replace_keeper()
        except (EmbeddedServersError, OSError) as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            self._started_keeper = False
            self._tell(f"The embedded servers have no keeper: {error}")

    def _tell(self, trouble: str) -> None:
        """Log what is wrong, once."""
        if trouble and trouble != self._trouble:
            log.warning("%s", trouble)
        self._trouble = trouble

    def _replace_keeper(self) -> None:
        state = read_state(self._data_dir)
        if state is not None:
            # Those that others need are among them.
            self._running |= state.keys()
            self._started_keeper = False
            self._tell(" ".join(state[name].problem or "" for name in self._needed).strip())
        elif time.monotonic() >= self._retry_at:
            self._give_up_at = time.monotonic() + JOIN_DEADLINE_SECONDS
            if self._start_keeper_unless_there_is_one():
                log.warning("the keeper of the embedded servers had ended: another starts them")

    def _start_keeper_unless_there_is_one(self) -> bool:
        keeper_lock = open_lock(self._data_dir / KEEPER_LOCK)
        try:
            if not try_lock(keeper_lock):
                return False
            if self._started_keeper:
                log_file = self._data_dir / KEEPER_LOG
                raise EmbeddedServersError(
                    f"The keeper of the servers ended at once ({_last_line(log_file)}): "
                    f"see {log_file}."
                )
            self._require_room()
            self._start_keeper(keeper_lock)
            self._started_keeper = True
            return True
        finally:
            os.close(keeper_lock)

    def _require_room(self) -> None:
        is_first = MONGOD.name in self._needed and not has_data(self._data_dir / Mongod.data_path)
        open_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if MONGOD.name in self._needed and 0 <= open_files < room.LEAST_OPEN_FILES:
            raise EmbeddedServersError(
                f"This may open {open_files} files, and mongod needs {room.LEAST_OPEN_FILES}: "
                f"raise the limit (ulimit -n 1024), or give a --mongo-uri."
            )
        needed_bytes = room.FIRST_BYTES if is_first else room.LEAST_BYTES
        if lack := room.shortage(os.statvfs(self._data_dir), needed_bytes):
            raise EmbeddedServersError(
                f"The disk of {self._data_dir} {lack}: make room, or give another --data-dir."
            )

    def _start_keeper(self, keeper_lock: int) -> None:
        keeper_log = self._data_dir / KEEPER_LOG
        rotate_log(keeper_log)
        keeper_log.touch(mode=0o600)
        keeper = [sys.executable, "-m", "app.embedded.keeper", str(self._data_dir)]
        with keeper_log.open("ab") as log_file:
            try:
                # A session of its own: a terminal's Ctrl-C must reach the user's process alone.
                subprocess.run(  # noqa: S603 - this very Python, no shell
                    [*keeper, str(keeper_lock), *self._running.union(self._needed)],
                    cwd=_IMPORT_ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=log_file,
                    stderr=log_file,
                    pass_fds=(keeper_lock,),
                    start_new_session=True,
                    timeout=self._give_up_at - time.monotonic(),
                    check=True,
                )
            except subprocess.SubprocessError as error:
                raise EmbeddedServersError(
                    f"The keeper of the servers did not start: see {keeper_log}."
                ) from error

    def _wait(self, what: str) -> None:
        if what != self._last_wait:
            self._last_wait = what
            self._on_wait(f"waiting for {what}")
        if time.monotonic() > self._give_up_at:
            raise EmbeddedServersError(
                f"Waited {JOIN_DEADLINE_SECONDS:.0f} s in vain for {what}: "
                f"see {self._data_dir / KEEPER_LOG}."
            )
        time.sleep(POLL_SECONDS)

    def _describe(self, servers: dict[str, ServerState]) -> EmbeddedServers:
        mongo_socket = quote(str(self._data_dir / MONGOD_SOCKET), safe="")
        redis_socket = quote(str(self._data_dir / REDIS_SOCKET))
        return EmbeddedServers(
            mongo_uri=f"mongodb://{mongo_socket}/todo?directConnection=true",
            redis_url=f"unix://{redis_socket}",
            description=", ".join(
                f"{name} {server.version} (pid {server.pid})" for name, server in servers.items()
            ),
            look_after=self.look_after,
        )


def _last_line(log_file: Path) -> str:
    lines = log_file.read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line), "it said nothing")
