"""Logging: one JSON object a line for machines, one readable line for a terminal.

The standard library's logging carries it, so that Tornado, PyMongo and asyncio are in the same
stream; a record's ``fields`` (a dict given as ``extra={"fields": ...}``) become members of the
JSON object. Everything goes to standard error.
"""

import asyncio
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

access = logging.getLogger("access")
"""One record for each request."""

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The request that the running code works for; stands in every line it logs."""

MAX_VALUE_CHARACTERS = 200
"""Longest text from a client in a log line; clients must not be able to fill the disk."""

# What a person wants to see of a request; the JSON line has the rest.
_ACCESS_FIELDS = (
    *("http.request.method", "url.path", "http.response.status_code"),
    *("duration_ms", "request_id"),
)
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
    access.disabled = not access_log
    _make_records_cheap()
    logging.captureWarnings(capture=True)  # Python's warnings are lines like all others.
    # The driver's own log of every command and heartbeat is for debugging the driver.
    logging.getLogger("pymongo").setLevel(logging.WARNING)
    # "Using selector: ..." at every start.
    logging.getLogger("asyncio").setLevel(max(logging.INFO, root.level))


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
            self._lines.append(self.format(record))
        except Exception:  # noqa: BLE001 - as logging's own handlers: a line shall break nothing.
            self.handleError(record)
            return
        if record.levelno >= logging.WARNING:
            self.flush()
        elif len(self._lines) == 1:
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


def shorten(text: str) -> str:
    """Return a client's text as it may stand in a log line."""
    if len(text) <= MAX_VALUE_CHARACTERS:
        return text
    return text[:MAX_VALUE_CHARACTERS] + "…"


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
        if record.name == access.name:
            told = [str(fields.get(name, "-")) for name in _ACCESS_FIELDS]
        else:
            told = [record.getMessage(), *(f"{name}={value}" for name, value in fields.items())]
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        text = " ".join([time, f"{record.levelname:<7}", *told])
        # Escapes in a client's text must not reach the terminal.
        line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
        if self._colour and record.levelname in _COLOURS:
            line = f"{_COLOURS[record.levelname]}{line}\x1b[0m"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


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
