"""A record is one line whatever a client sent, and says what happened for whom."""

import asyncio
import errno
import io
import json
import logging
import sys
from contextlib import contextmanager

import pytest

from app import log
from app.log import ConsoleFormatter, JsonFormatter, configure_logging

pytestmark = pytest.mark.gen_test

NASTY = [
    *("\r\n", "\n", "\r", "\x1b[31m", "\0", "\x7f", "\x9b", "\x85", "\u2028", "\u2029", "\u202e"),
    *("\ud800", "\udfff", "a\ud800\nb", '"', "\\", "買", "🥛"),
]
LINE_ENDS = "\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


def make_record(message="request", *, name="app", level=logging.INFO, fields=None, exc_info=None):
    record = logging.LogRecord(name, level, __file__, 1, message, None, exc_info)
    record.created = 1_700_000_000.25
    if fields is not None:
        record.fields = fields
    return record


def raised():
    try:
        int("the cause")
    except ValueError:
        return sys.exc_info()


@contextmanager
def working_for(request_id):
    token = log.request_id.set(request_id)
    try:
        yield
    finally:
        log.request_id.reset(token)


def write_info(event):
    logging.getLogger("app").info(event)


def write_request():
    log.access.requests(
        [("127.0.0.1", "abc")], method="GET", route="/todo", path="/todo", status=200, seconds=1.0
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def configured(monkeypatch):
    """Configure logging, return what it writes to, and put everything back afterwards."""
    loggers = [logging.getLogger(name) for name in (None, "pymongo", "asyncio")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]

    def configure(stream=None, **options):
        stream = io.StringIO() if stream is None else stream
        monkeypatch.setattr(sys, "stderr", stream)
        for name in ("_srcfile", "logThreads", "logProcesses", "logMultiprocessing"):
            monkeypatch.setattr(logging, name, getattr(logging, name))
        options = {"level": "info", "log_format": "auto", "access_log": True} | options
        configure_logging(**options)
        return stream

    yield configure
    log.access.write_to(None)
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers = handlers


@pytest.mark.parametrize("text", NASTY, ids=ascii)
@pytest.mark.parametrize(
    "formatter",
    [JsonFormatter(), ConsoleFormatter(colour=False), ConsoleFormatter(colour=True)],
    ids=["json", "console", "colour"],
)
def test_a_record_is_one_encodable_line_whatever_is_in_it(formatter, text):
    record = make_record(f"said {text}", fields={"url.path": f"/{text}"})
    with working_for(f"id{text}"):
        line = formatter.format(record)
    line.encode()
    assert not set(line) & set(LINE_ENDS) - (
        set("\x85\u2028\u2029") if isinstance(formatter, JsonFormatter) else set()
    )
    assert "\x1b" not in line
    assert "\0" not in line


@pytest.mark.parametrize("text", [text for text in NASTY if text.isascii() or text in "買🥛"])
def test_json_gives_back_what_was_logged(text):
    entry = json.loads(JsonFormatter().format(make_record(text, fields={"url.path": text})))
    assert (entry["event"], entry["url.path"]) == (text, text)


def test_a_json_line_has_time_level_logger_event_and_fields():
    record = make_record(level=logging.WARNING, fields={"http.route": "/todo", "duration_ms": 1.5})
    assert json.loads(JsonFormatter().format(record)) == {
        "ts": "2023-11-14T22:13:20.250000Z",
        "level": "warning",
        "logger": "app",
        "event": "request",
        "http.route": "/todo",
        "duration_ms": 1.5,
    }


def test_a_value_that_json_does_not_know_stands_as_text():
    entry = json.loads(JsonFormatter().format(make_record(fields={"error": KeyError("x")})))
    assert entry["error"] == "'x'"


def test_the_request_that_code_works_for_stands_in_its_lines():
    with working_for("abc"):
        assert json.loads(JsonFormatter().format(make_record()))["request_id"] == "abc"
        assert "request_id=abc" in ConsoleFormatter(colour=False).format(make_record())
        own = JsonFormatter().format(make_record(fields={"request_id": "own"}))
    assert json.loads(own)["request_id"] == "own"
    assert "request_id" not in json.loads(JsonFormatter().format(make_record()))


def test_an_exception_stays_within_its_json_line():
    line = JsonFormatter().format(make_record("fault", exc_info=raised()))
    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("the cause'")


def test_an_exception_follows_its_console_line():
    first, *rest = (
        ConsoleFormatter(colour=False)
        .format(make_record("fault", level=logging.ERROR, exc_info=raised()))
        .splitlines()
    )
    assert first.endswith("ERROR   fault")
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1].endswith("the cause'")


def test_a_console_line_has_time_level_message_and_fields():
    line = ConsoleFormatter(colour=True).format(make_record(fields={"http.route": "/todo"}))
    time, rest = line.split(" ", 1)
    assert len(time) == len("22:13:20")
    assert rest == "INFO    request http.route=/todo"


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR, logging.CRITICAL])
def test_only_a_terminal_gets_colours(level):
    assert ConsoleFormatter(colour=True).format(make_record(level=level)).startswith("\x1b[3")
    assert "\x1b" not in ConsoleFormatter(colour=False).format(make_record(level=level))


@pytest.mark.parametrize(
    ("log_format", "stream", "is_json"),
    [
        ("auto", io.StringIO, True),
        ("auto", Terminal, False),
        ("json", Terminal, True),
        ("console", io.StringIO, False),
    ],
)
def test_a_terminal_gets_the_console_format_and_all_else_json(
    configured, log_format, stream, is_json
):
    written = configured(stream(), log_format=log_format)
    logging.getLogger("app").info("hello")
    (line,) = written.getvalue().splitlines()
    assert line.startswith("{") is is_json


def test_only_the_level_asked_for_is_shown(configured):
    written = configured(level="warning")
    logging.getLogger("app").info("quiet")
    logging.getLogger("app").warning("loud")
    assert [json.loads(line)["event"] for line in written.getvalue().splitlines()] == ["loud"]


@pytest.mark.parametrize(
    ("options", "is_shown"),
    [
        ({}, True),
        ({"level": "debug"}, True),
        ({"level": "warning"}, False),
        ({"access_log": False}, False),
    ],
    ids=str,
)
def test_requests_are_shown_unless_switched_off_or_below_the_level(configured, options, is_shown):
    written = configured(**options)
    write_request()
    assert log.access.is_on is is_shown
    assert bool(written.getvalue()) is is_shown


def test_the_drivers_chatter_is_not_shown(configured):
    written = configured(level="debug")
    logging.getLogger("pymongo.command").info("a command")
    logging.getLogger("asyncio").debug("Using selector")
    assert written.getvalue() == ""


# --- When lines are written


class Pieces(io.StringIO):
    """Notes what is written at once."""

    def __init__(self):
        super().__init__()
        self.pieces = []

    def write(self, text):
        self.pieces.append(text.splitlines())
        return super().write(text)


def events(pieces):
    return [[json.loads(line)["event"] for line in piece] for piece in pieces]


async def test_the_lines_of_a_turn_of_the_loop_are_written_at_once(configured):
    written = configured(Pieces())
    for event in "abc":
        write_info(event)
    assert written.pieces == []
    await asyncio.sleep(0)
    write_info("d")
    await asyncio.sleep(0)
    assert events(written.pieces) == [["a", "b", "c"], ["d"]]


async def test_a_warning_is_written_at_once_and_what_came_before_it(configured):
    written = configured(Pieces())
    write_info("before")
    logging.getLogger("app").warning("look")
    write_info("after")
    assert events(written.pieces) == [["before", "look"]]
    await asyncio.sleep(0)
    assert events(written.pieces) == [["before", "look"], ["after"]]


async def test_a_line_of_another_thread_waits_for_no_loop(configured):
    written = configured(Pieces())
    await asyncio.to_thread(logging.getLogger("app").info, "from a thread")
    assert events(written.pieces) == [["from a thread"]]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "disk full"), BrokenPipeError()])
async def test_a_log_that_cannot_be_written_breaks_nothing(configured, error):
    class Full(Pieces):
        def flush(self):
            if not self.closed:
                raise error

    written = configured(Full())
    logging.getLogger("app").warning("lost")
    write_info("lost, too")
    await asyncio.sleep(0)
    written.flush = lambda: None
    logging.getLogger("app").warning("kept")
    assert "kept" in written.getvalue()


async def test_what_is_kept_is_written_when_the_process_ends(configured):
    written = configured(Pieces())
    write_info("last words")
    assert written.pieces == []
    logging.getLogger().handlers[0].flush()  # As logging.shutdown() does.
    assert events(written.pieces) == [["last words"]]
