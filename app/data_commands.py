"""The commands that work on the todos themselves: seed, export, statistics."""

import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from time import perf_counter
from types import MappingProxyType

from app.command import Backends, CommandError, backends_of, run_on_loop, settings_of
from app.log import configure_logging
from app.seed import MAX_TODOS_PER_RUN
from app.settings import Settings
from app.settings_sources import SettingsParser, add_flags

# The modules that import Motor are imported when `backends_of` has sized it.

_READING = ("data_dir", "mongo_uri", "mongo_late_reads", "mongo_operation_seconds")


def _seed(arguments: Sequence[str]) -> int:
    parser = SettingsParser(
        prog="run.py seed",
        description="Store made-up todos of the past year, in Chinese and English.",
    )
    parser.add_argument(
        "--count", type=_todo_count, required=True, metavar="N", help="how many to store"
    )
    parser.add_argument(
        "--random-seed", type=int, metavar="N", help="the same number makes the same texts"
    )
    add_flags(
        parser, ["data_dir", "mongo_uri", "redis_url", "mongo_write_concern", "mongo_journal"]
    )
    given = parser.parse_args(arguments)
    settings = settings_of(given)
    if settings is None:
        return 0
    with _backends(settings) as backends:
        from app.seeding import store_made_up_todos  # noqa: PLC0415

        random = Random(given.random_seed)  # noqa: S311 - texts to try things with, no secrets.
        started = perf_counter()
        stored = run_on_loop(
            store_made_up_todos(
                settings,
                mongo_uri=backends.mongo_uri,
                redis_url=backends.redis_url,
                count=given.count,
                random=random,
            )
        )
        print(f"stored {_amount(stored, perf_counter() - started)}")
    return 0


def _todo_count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        raise ArgumentTypeError(f"must be a whole number, not {text!r}") from None
    if not 1 <= count <= MAX_TODOS_PER_RUN:
        raise ArgumentTypeError(f"must be between 1 and {MAX_TODOS_PER_RUN:,}, not {count}")
    return count


def _export(arguments: Sequence[str]) -> int:
    settings = _reading_settings(
        arguments,
        prog="run.py export",
        description="Write every todo to standard output, a line of JSON for each as the API shows "
        "it, oldest first (within a second in any order). What was changed in the last seconds may "
        "be missing.",
    )
    if settings is None:
        return 0
    with _backends(settings) as backends:
        from app.exporting import export_todos  # noqa: PLC0415

        started = perf_counter()
        count = run_on_loop(
            export_todos(settings, mongo_uri=backends.mongo_uri, write=_write_to_standard_output)
        )
        print(f"exported {_amount(count, perf_counter() - started)}", file=sys.stderr)
    return 0


def _statistics(arguments: Sequence[str]) -> int:
    settings = _reading_settings(
        arguments,
        prog="run.py statistics",
        description="Say how many todos there are, as JSON. What was changed in the last seconds "
        "may not be counted.",
    )
    if settings is None:
        return 0
    with _backends(settings) as backends:
        from app.exporting import read_statistics  # noqa: PLC0415

        statistics = run_on_loop(read_statistics(settings, mongo_uri=backends.mongo_uri))
        _write_to_standard_output(statistics + b"\n")
    return 0


def _reading_settings(arguments: Sequence[str], *, prog: str, description: str) -> Settings | None:
    parser = SettingsParser(prog=prog, description=description)
    add_flags(parser, _READING)
    settings = settings_of(parser.parse_args(arguments))
    # Nothing is read from the cache, and nothing in it is changed.
    return None if settings is None else replace(settings, redis_url="none")


def _write_to_standard_output(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        # What is still in the buffer would fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise CommandError(f"standard output: {error.strerror}") from error


@contextmanager
def _backends(settings: Settings) -> Iterator[Backends]:
    configure_logging(level=settings.log_level, log_format=settings.log_format, access_log=False)
    with backends_of(settings) as backends:
        yield backends


def _amount(count: int, seconds: float) -> str:
    return f"{count:,} todos in {seconds:.1f} s ({count / seconds:,.0f} per second)"


DATA_COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = MappingProxyType(
    {"seed": _seed, "export": _export, "statistics": _statistics}
)
