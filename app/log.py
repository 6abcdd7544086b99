"""Logging: one JSON object a line for machines, one readable line for a terminal.

The standard library's logging carries it, so that Tornado, PyMongo and asyncio are in the same
stream; a record's ``fields`` (a dict given as ``extra={"fields": ...}``) become members of the
JSON object. Everything goes to standard error.
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

import msgspec

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The request that the running code works for; stands in every line it logs."""

MAX_VALUE_CHARACTERS = 200
"""Longest text from a client in a log line; clients must not be able to fill the disk."""

_COLOURS = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[31m"}


def configure_logging(*, level: str, log_format: str, access_log: bool) -> None:
    """Send the log to standard error, for a person if that is a terminal.

    Args:
        level: the lowest level shown, such as ``info``.
        log_format: ``auto`` chooses ``console`` on a terminal and ``json`` otherwise.
        access_log: whether requests are logged.
    """
    on_terminal = sys.stderr.isatty()
    if log_format == "auto":
        log_format = "console" if on_terminal else "json"
    handler = TurnHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter() if log_format == "json" else ConsoleFormatter(colour=on_terminal)
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    access.write_to(
        handler.keep if access_log and root.level <= logging.INFO else None,
        for_a_person=log_format == "console",
    )
    _make_records_cheap()
    logging.captureWarnings(capture=True)  # Python's warnings are lines like all others.
    # The driver's own log of every command and heartbeat is for debugging the driver.
    logging.getLogger("pymongo").setLevel(logging.WARNING)
    # "Using selector: ..." at every start.
    logging.getLogger("asyncio").setLevel(max(logging.INFO, root.level))


def is_json() -> bool:
    """Say whether the log's lines are for machines; then nothing else goes to standard error."""
    return any(isinstance(each.formatter, JsonFormatter) for each in logging.getLogger().handlers)


def _make_records_cheap() -> None:
    """Leave out of records what no line shows (Python's Logging HOWTO, "Optimization")."""
    logging._srcfile = None  # noqa: SLF001 - as it says there.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class TurnHandler(logging.StreamHandler[TextIO]):
    """Writes what was logged in one turn of the event loop at once.

    A system call for each line costs this process as much as the line, and whoever reads the pipe
    (supervisord) even more. Warnings, and what is logged outside of a loop, are written at once.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record's line until the loop's next turn."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - as logging's own handlers: a line shall break nothing.
            self.handleError(record)
            return
        self.keep([line])
        if record.levelno >= logging.WARNING:
            self.flush()

    def keep(self, lines: list[str]) -> None:
        """Keep lines, without their line ends, until the loop's next turn."""
        is_first = not self._lines
        self._lines += lines
        if is_first:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:  # No loop runs in this thread.
                self.flush()

    def flush(self) -> None:
        """Write the lines that are kept; they are lost where that fails, as on a full disk."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            if lines:
                self.stream.write("\n".join([*lines, ""]))
                self.stream.flush()
        except (OSError, ValueError):  # ValueError: it is closed.
            pass
        finally:
            self.release()


class AccessLog:
    """A line for each request, as `JsonFormatter` and `ConsoleFormatter` write those of records.

    A record costs more than the request that it tells of. So there is none: what is the same for
    requests of one kind is made into text once and kept.
    """

    def __init__(self) -> None:
        self._keep: Callable[[list[str]], None] | None = None
        self._for_a_person = False

    def write_to(
        self, keep: Callable[[list[str]], None] | None, *, for_a_person: bool = False
    ) -> None:
        """Give lines to ``keep`` from now on; None: write none.

        Args:
            keep: takes lines without their line ends.
            for_a_person: whether the lines are for a terminal, or JSON.
        """
        self._keep = keep
        self._for_a_person = for_a_person

    @property
    def is_on(self) -> bool:
        """Whether anybody sees the lines."""
        return self._keep is not None

    def requests(
        self,
        clients: Iterable[tuple[str, str]],
        *,
        method: str,
        route: str,
        path: str,
        status: int,
        seconds: float | None,
    ) -> None:
        """Write the lines of requests that were answered alike, at the same time.

        Args:
            clients: for each the client's address and the request's id, which is fit for JSON.
            method: as it was sent, or empty.
            route: the template of the address.
            path: as it was sent, without the query.
            status: of the answer.
            seconds: from the request to the end of its answer, None where that says nothing.
        """
        if self._keep is None:
            return
        now = datetime.now(UTC)
        # PERF: whole microseconds first: `round` to three places takes 0.3 us.
        duration = None if seconds is None else round(seconds * 1e6) / 1000
        if self._for_a_person:
            told = f"{_shorten(method)} {_shorten(path)} {status:d}"
            start = f"{_local_time(now)} {'INFO':<7} {told} {'-' if duration is None else duration}"
            self._keep([_printable(f"{start} {an_id}") for _, an_id in clients])
            return
        start = f'{{"ts":{_json(now)},"level":"info","logger":"access","event":"request"'
        kind = _json_of_kind(method, route, path, status)
        end = '"}' if duration is None else f'","duration_ms":{duration!r}}}'
        # As in every line written while a request is worked for, its id comes first there.
        if request_id.get() is not None:
            end = end[1:]
            self._keep(
                [
                    f'{start},"request_id":"{an_id}",{kind}{_json_of(address)}{end}'
                    for address, an_id in clients
                ]
            )
        else:
            self._keep(
                [
                    f'{start},{kind}{_json_of(address)},"request_id":"{an_id}{end}'
                    for address, an_id in clients
                ]
            )


access = AccessLog()
"""That of this process; `configure_logging` says where its lines go."""


def _shorten(text: str) -> str:
    """Return a client's text as it may stand in a log line."""
    if len(text) <= MAX_VALUE_CHARACTERS:
        return text
    return text[:MAX_VALUE_CHARACTERS] + "…"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


@lru_cache(maxsize=1024)
def _json_of_kind(method: str, route: str, path: str, status: int) -> str:
    """Return the members that requests of one kind share, up to the client's address."""
    fields = {
        "http.request.method": _shorten(method),
        "http.route": route,
        "url.path": _shorten(path),
        "http.response.status_code": status,
    }
    return _json(_encodable(fields))[1:-1] + ',"client.address":'


_json_of = lru_cache(maxsize=1024)(_json)
"""For addresses of clients, most of which come again."""


class JsonFormatter(logging.Formatter):
    """Renders a record as one JSON object; JSON's escapes keep it on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its line end."""
        entry: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        try:
            return msgspec.json.encode(entry, enc_hook=str).decode()
        except UnicodeEncodeError:  # A lone surrogate, which no encoding of text can hold.
            return msgspec.json.encode(_encodable(entry), enc_hook=str).decode()


class ConsoleFormatter(logging.Formatter):
    """Renders a record as one line that a person reads: time, level, message, fields."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its line end; an exception's traceback follows it."""
        fields = _fields(record)
        told = [record.getMessage(), *(f"{name}={value}" for name, value in fields.items())]
        time = _local_time(datetime.fromtimestamp(record.created, UTC))
        line = _printable(" ".join([time, f"{record.levelname:<7}", *told]))
        if self._colour and record.levelname in _COLOURS:
            line = f"{_COLOURS[record.levelname]}{line}\x1b[0m"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _local_time(time: datetime) -> str:
    return time.astimezone().strftime("%H:%M:%S")


def _printable(text: str) -> str:
    """Return a line whose escapes cannot reach the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = getattr(record, "fields", {})
    current = request_id.get()
    return fields if current is None else {"request_id": current, **fields}


def _encodable(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.encode("utf-8", "backslashreplace").decode()
        if isinstance(value, str)
        else value
        for name, value in entry.items()
    }
