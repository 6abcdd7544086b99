"""The keeper: the process that owns the two servers. `python -m app.embedded.keeper`.

The servers live exactly as long as anybody uses them. Why no order of events breaks that:

1.  *One keeper.* Whoever takes keeper.lock starts a keeper and hands the lock over with the open
    file, so there is no moment between the two at which somebody else could. A starter that dies
    before the handing over drops the lock with its life.
2.  *None ends under a user.* A user holds users.lock shared from before it looks for a keeper.
    The keeper ends for want of users only once it holds the lock exclusively, and then never lets
    it go: whoever comes while the servers stop waits for it, finds no keeper, and starts one.
3.  *None outlives its users.* The kernel drops a dead user's lock. A starter that dies leaves a
    keeper that finds no users and ends; one just started looks before it starts anything.
4.  *No stale answer.* What is in servers.json counts only while its writer holds the file locked.
5.  *None for a directory that is not there.* Keeper and users look whether users.lock is still in
    its place; where it is not the servers are killed, and the users end with that reason.
6.  *No two generations of servers.* The servers inherit servers.lock with the open file, so it is
    held until the last of them is gone. The kernel ends them when their keeper dies, and the next
    keeper starts none before it has the lock: no server that dies late removes a new one's socket.
"""

import logging
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from app.embedded.binaries import MONGOD
from app.embedded.directory import (
    SERVERS_LOCK,
    STATE,
    USERS_LOCK,
    ServerState,
    is_in_place,
    open_lock,
    others_with_open,
    publish_state,
    try_lock,
)
from app.embedded.mongod import Mongod
from app.embedded.redis_server import RedisServer

BUSY_POLL_SECONDS = 0.004
"""Between two looks while a server starts or stops: nothing beside a start of half a second."""

IDLE_POLL_SECONDS = 0.1
"""Between two looks while all is well: ten system calls a second."""

STOP_DEADLINE_SECONDS = 15.0
"""A clean stop takes a fifth of a second; the journal makes a kill safe."""

LEFTOVERS_DEADLINE_SECONDS = 5.0
"""For the servers of a killed keeper, which the kernel has already asked to stop."""

log = logging.getLogger("keeper")


class Keeper:
    """Keeps the servers running while there are users; the data directory is the cwd."""

    def __init__(
        self,
        needed: Sequence[str],
        *,
        leftovers_deadline_seconds: float = LEFTOVERS_DEADLINE_SECONDS,
    ) -> None:
        self._users_lock = open_lock(Path(USERS_LOCK))
        self._servers_lock = open_lock(Path(SERVERS_LOCK))
        self._kill_leftovers_at = time.monotonic() + leftovers_deadline_seconds
        redis_server = RedisServer(self._servers_lock)
        self._servers = (
            (Mongod(self._servers_lock), redis_server) if MONGOD.name in needed else (redis_server,)
        )
        self._published: dict[str, ServerState] = {}
        self._state_lock: int | None = None
        self._told_to_stop = False

    def run(self) -> None:
        """Return when nobody uses the servers any more, or on SIGTERM; they have ended then."""
        signal.signal(signal.SIGTERM, lambda *_: self._stop())
        try:
            while not self._told_to_stop and not try_lock(self._users_lock):
                if not is_in_place(self._users_lock, Path(USERS_LOCK)):
                    self._kill_servers_of_nothing()
                    return
                self._step()
                time.sleep(IDLE_POLL_SECONDS if self._is_idle() else BUSY_POLL_SECONDS)
        finally:
            # First, so that nobody joins servers about to end: a stop on demand comes amid users.
            Path(STATE).unlink(missing_ok=True)
            self._end_servers()

    def _stop(self) -> None:
        self._told_to_stop = True

    def _kill_servers_of_nothing(self) -> None:
        # Not asked to end: what they would remove by then may be another keeper's, in a directory
        # of the same name.
        log.error("the data directory was removed: killing the servers, which work on nothing")
        for server in self._servers:
            server.signal(signal.SIGKILL)

    def _is_idle(self) -> bool:
        return all(server.state.version or server.state.problem for server in self._servers)

    def _step(self) -> None:
        now = time.monotonic()
        # Once taken it is this keeper's for good: taking it again changes nothing.
        if try_lock(self._servers_lock):
            for server in self._servers:
                server.step(now)
        elif now > self._kill_leftovers_at:
            self._kill_leftovers_at = math.inf
            self._kill_leftovers()
        self._publish()

    def _kill_leftovers(self) -> None:
        names = {server.program.name for server in self._servers}
        for pid in others_with_open(Path(SERVERS_LOCK)):
            # It may have ended meanwhile; and who just reads the directory, say a backup, lives.
            with suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() in names:
                    os.kill(pid, signal.SIGKILL)
                    log.error("killed pid %d, a server of an ended keeper that did not stop", pid)

    def _publish(self) -> None:
        state = {server.program.name: server.state for server in self._servers}
        if state == self._published:
            return
        try:
            lock = publish_state(Path(), state)
        except OSError as error:
            if not self._published:
                raise  # They wait for it.
            # A full disk must not take the servers from their users; the next look tries again.
            log.error("cannot write the state: %s", error)  # noqa: TRY400 - the stack says no more
            return
        if self._state_lock is not None:
            os.close(self._state_lock)
        self._state_lock, self._published = lock, state

    def _end_servers(self) -> None:
        for server in self._servers:
            server.signal(signal.SIGTERM)
        kill_at = time.monotonic() + STOP_DEADLINE_SECONDS
        while not all(server.has_ended() for server in self._servers):
            if time.monotonic() > kill_at:
                for server in self._servers:
                    server.signal(signal.SIGKILL)
            time.sleep(BUSY_POLL_SECONDS)


def main() -> None:
    """Become a keeper: `keeper DATA_DIR KEEPER_LOCK_DESCRIPTOR NEEDED...`."""
    data_dir, keeper_lock, *needed = sys.argv[1:]
    os.set_inheritable(int(keeper_lock), False)
    os.chdir(data_dir)
    os.umask(0o077)
    # The starter waits for this process and is done: a keeper is nobody's child, see daemon(7).
    if os.fork():
        os._exit(0)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    log.info("keeper, pid %d", os.getpid())
    try:
        Keeper(needed).run()
    except Exception:
        log.exception("the keeper failed")
        raise SystemExit(1) from None
    log.info("the servers have ended")


if __name__ == "__main__":
    main()
