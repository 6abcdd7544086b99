"""One connection to Redis: ordered, pipelined, never waited for longer than its deadline.

redis-py's asyncio client takes a connection out of a pool and some 100 us for every command. The
freshness of every answer is proved on this one, so a command here is one write and one callback.
"""

import asyncio
import logging
import ssl
from asyncio import Future
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import random
from typing import Any, cast

import hiredis
from redis.asyncio.connection import parse_url

from app.cache.redis_refusals import in_our_words, why_unfit
from app.cache.redis_scripts import CLAIM, DONE, MARK, OPEN

log = logging.getLogger(__name__)

_SCRIPTS = (MARK, DONE, OPEN, CLAIM)
_LEAST_PAUSE_SECONDS = 0.05
_MOST_PAUSE_SECONDS = 1.0
_RUN_ID_DIGITS = 8

Argument = str | bytes | int
Then = Callable[[Any], None]


class RedisAway(Exception):
    """Redis did not answer, or refused; what was asked of it may have been done, or be yet to."""


class RedisRefuses(RedisAway):
    """The text is Redis's own."""


@dataclass(frozen=True)
class RedisAddress:
    """Where Redis is and how it is entered."""

    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    database: int = 0
    login: tuple[str, ...] = ()
    """The arguments of AUTH; none to do without."""
    tls: ssl.SSLContext | None = field(default=None, compare=False)

    @classmethod
    def parse(cls, url: str) -> "RedisAddress":
        """Return what a URL says, in the words of redis-py.

        Raises:
            ValueError: it cannot be understood, or has an option that is not known here.
        """
        said: dict[str, Any] = dict(parse_url(url))
        tls = _tls_context(said) if url.startswith("rediss://") else None
        said.pop("connection_class", None)
        user, password = said.pop("username", None), said.pop("password", None)
        if user is not None and password is None:
            password = ""  # Alone it would be taken for a password.
        address = cls(
            host=said.pop("host", cls.host),
            port=said.pop("port", cls.port),
            path=said.pop("path", None),
            database=int(said.pop("db", 0)),
            login=tuple(part for part in (user, password) if part is not None),
            tls=tls,
        )
        if said:
            raise ValueError(f"unknown options: {', '.join(sorted(said))}")
        return address


def _tls_context(said: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=said.pop("ssl_ca_certs", None))
    certificate, key = said.pop("ssl_certfile", None), said.pop("ssl_keyfile", None)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    if str(said.pop("ssl_cert_reqs", "required")) == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif not said.pop("ssl_check_hostname", True):
        context.check_hostname = False
    said.pop("ssl_check_hostname", None)
    return context


class RedisChannel:
    """A connection that is made anew, for ever, when it is lost.

    Args:
        address: where Redis is.
        timeout_seconds: deadline of a command, and of connecting. When one is missed the
            connection is given up: answers come in order, so all that follow would be late too.
    """

    def __init__(self, address: RedisAddress, *, timeout_seconds: float) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._connection: _Connection | None = None
        self._why = "not connected"
        self.prefix = ""
        """Begins with a part of Redis's run id: what a restarted one has loaded is not ours."""
        self.tried = asyncio.Event()
        """Is set when it is known whether Redis answers."""
        self._hashes: dict[str, str] = {}

    @property
    def is_up(self) -> bool:
        """Redis answers."""
        return self._connection is not None

    async def run(self) -> None:
        """Keep a connection until cancelled."""
        pause, is_told = _LEAST_PAUSE_SECONDS, False
        while True:
            try:
                connection = await self._connect()
            # ValueError: of a name that cannot be looked up.
            except (OSError, RedisAway, TimeoutError, ValueError) as error:
                self._why = f"not connected: {for_strangers(error)}"
                if not is_told:
                    log.warning("Redis is away, everything comes from MongoDB: %s", error)
                    is_told = True
                self.tried.set()
                await asyncio.sleep(pause * (0.5 + random() / 2))  # noqa: S311 - no secret.
                pause = min(2 * pause, _MOST_PAUSE_SECONDS)
                continue
            if is_told:
                log.info("Redis answers")
            pause = _LEAST_PAUSE_SECONDS
            try:
                self._connection = connection
                self.tried.set()
                await connection.lost.wait()
                self._why = "not connected: the connection is lost"
                log.warning("Redis is away, everything comes from MongoDB: the connection is lost")
                is_told = True
            finally:
                self._connection = None
                connection.close()

    def ask(self, command: Sequence[Argument], then: Then) -> None:
        """Send a command; ``then`` is called with its answer or `RedisAway`, and must not raise."""
        if self._connection is None:
            then(RedisAway(self._why))
        else:
            self._connection.ask(command, then)

    def call(self, *command: Argument) -> "Future[Any]":
        """Send a command; the future has its answer or `RedisAway`."""
        return _call(self.ask, command)

    def run_script(
        self, script: str, keys: Sequence[Argument], arguments: Sequence[Argument]
    ) -> "Future[Any]":
        """Run one of `redis_scripts`."""
        digest = self._hashes.get(script, "")
        return self.call("EVALSHA", digest, len(keys), *keys, *arguments)

    async def _connect(self) -> "_Connection":
        loop, address = asyncio.get_running_loop(), self._address
        make = lambda: _Connection(loop, self._timeout_seconds)  # noqa: E731 - a factory.
        async with asyncio.timeout(self._timeout_seconds):
            if address.path is not None:
                _, connection = await loop.create_unix_connection(make, address.path)
            else:
                _, connection = await loop.create_connection(
                    make, address.host, address.port, ssl=address.tls
                )
        try:
            await self._greet(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _greet(self, connection: "_Connection") -> None:
        if self._address.login:
            await connection.call("AUTH", *self._address.login)
        if self._address.database:
            await connection.call("SELECT", self._address.database)
        with suppress(RedisAway):  # For people alone, and not every user may do it.
            await connection.call("CLIENT", "SETNAME", "tornado-todo")
        # Not CONFIG: hosted ones hide it.
        lines = (await connection.call("INFO")).decode(errors="replace").split("\r\n")
        information = dict(line.partition(":")[::2] for line in lines)
        if why := why_unfit(information.get("maxmemory_policy", "")):
            raise RedisAway(why)
        self._hashes = {
            script: (await connection.call("SCRIPT", "LOAD", script)).decode()
            for script in _SCRIPTS
        }
        run_id = information.get("run_id", "")[:_RUN_ID_DIGITS]
        self.prefix = f"todo:{run_id}:"


class _Connection(asyncio.Protocol):
    def __init__(self, loop: asyncio.AbstractEventLoop, timeout_seconds: float) -> None:
        self._loop = loop
        self._timeout_seconds = timeout_seconds
        self._reader = hiredis.Reader(replyError=RedisRefuses)
        self._unanswered: deque[tuple[Then, float]] = deque()
        self._check: asyncio.TimerHandle | None = None
        self._suspect: Then | None = None
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, command: Sequence[Argument], then: Then) -> None:
        if self.lost.is_set():
            then(RedisAway("the connection is lost"))
            return
        packed = hiredis.pack_command(tuple(command))  # type: ignore[arg-type]
        self._unanswered.append((then, self._loop.time()))
        self._transport.write(packed)
        if self._check is None:
            self._check = self._loop.call_later(self._timeout_seconds, self._look_at_oldest)

    def call(self, *command: Argument) -> "Future[Any]":
        return _call(self.ask, command)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while True:
            try:
                answer = self._reader.gets()
            except hiredis.ProtocolError:
                self.close()
                return
            if answer is False or not self._unanswered:
                return
            then, _ = self._unanswered.popleft()
            then(answer)
            if isinstance(answer, RedisAway) and str(answer).startswith("NOSCRIPT"):
                self.close()  # Somebody has thrown our scripts away; the next one loads them.

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        if self._check is not None:
            self._check.cancel()
        while self._unanswered:
            then, _ = self._unanswered.popleft()
            then(RedisAway("the connection is lost"))

    def close(self) -> None:
        """Close at once; what is unanswered fails."""
        self._transport.abort()
        self.connection_lost(None)

    def _look_at_oldest(self) -> None:
        self._check = None
        if not self._unanswered:
            return
        oldest, since = self._unanswered[0]
        left = since + self._timeout_seconds - self._loop.time()
        if left <= 0 and self._suspect is oldest:
            self.close()
            return
        # After its deadline it gets a moment more: this process may have been stopped itself, and
        # the answer be there.
        self._suspect = oldest if left <= 0 else None
        self._check = self._loop.call_later(
            max(left, self._timeout_seconds / 10), self._look_at_oldest
        )


def for_strangers(error: Exception) -> str:
    """Return what went wrong, for strangers; the log has all of it."""
    if isinstance(error, RedisAway):
        return in_our_words(str(error)) if isinstance(error, RedisRefuses) else str(error)
    # An OSError itself is one for each of several addresses.
    return "no connection" if type(error) is OSError else type(error).__name__


def _call(
    ask: Callable[[Sequence[Argument], Then], None], command: Sequence[Argument]
) -> "Future[Any]":
    answer: Future[Any] = asyncio.get_running_loop().create_future()
    ask(command, partial(_settle, answer))
    return answer


def _settle(future: "Future[Any]", answer: Any) -> None:
    if future.done():  # Whoever waited has been cancelled.
        return
    if isinstance(answer, RedisAway):
        future.set_exception(answer)
        future.exception()  # Seen: some callers do not wait for the answer.
    else:
        future.set_result(answer)
