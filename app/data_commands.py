"""The commands that work on the todos themselves: seed, export, statistics."""

import logging
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from time import perf_counter
from types import MappingProxyType

from app.command import (
    Backends,
    CommandError,
    backends_of,
    place_of,
    require_data,
    run_on_loop,
    settings_of,
)
from app.number_flag import number_flag
from app.program import NAME
from app.seed import MAX_TODOS_PER_RUN
from app.settings import Settings
from app.settings_sources import SettingsParser, add_flags
from app.standard_streams import output_error, tell

# The modules that import Motor are imported when `backends_of` has sized it.

_LATENESS = (
    "Members of a replica set that follow the primary are asked: what was changed in the last two "
    "minutes (while there is no primary, perhaps earlier) may be missing, or be as it was."
)
_LARGEST_SEED = 1 << 63
_READING = ("data_dir", "mongo_uri", "mongo_late_reads", "mongo_operation_seconds")


def _seed(arguments: Sequence[str]) -> int:
    parser = SettingsParser(
        prog=f"{NAME} seed",
        description="Store made-up todos of the past year, in Chinese and English.",
    )
    parser.add_argument(
        "--count",
        type=number_flag(int, 1, MAX_TODOS_PER_RUN),
        required=True,
        metavar="N",
        help="how many to store",
    )
    parser.add_argument(
        "--random-seed",
        type=number_flag(int, -_LARGEST_SEED, _LARGEST_SEED),
        metavar="N",
        help="the same number makes the same texts",
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
        tell(f"stored {_amount(stored, perf_counter() - started)}")
    return 0


def _export(arguments: Sequence[str]) -> int:
    return _read(
        arguments,
        _write_todos,
        prog=f"{NAME} export",
        description="Write every todo to standard output, a line of JSON for each as the API shows "
        f"it, newest first. {_LATENESS}",
    )


def _statistics(arguments: Sequence[str]) -> int:
    return _read(
        arguments,
        _write_statistics,
        prog=f"{NAME} statistics",
        description=f"Say how many todos there are, as JSON. {_LATENESS}",
    )


def _read(
    arguments: Sequence[str],
    write: Callable[[Settings, Backends], None],
    *,
    prog: str,
    description: str,
) -> int:
    parser = SettingsParser(prog=prog, description=description)
    add_flags(parser, _READING)
    settings = settings_of(parser.parse_args(arguments))
    if settings is None:
        return 0
    if sys.stdout is None:
        raise CommandError("standard output is closed: nobody could read what is written")
    require_data(settings)
    # Nothing is read from the cache, and nothing in it is changed.
    with _backends(replace(settings, redis_url="none")) as backends:
        write(settings, backends)
    return 0


def _write_todos(settings: Settings, backends: Backends) -> None:
    from app.exporting import export_todos  # noqa: PLC0415

    started = perf_counter()
    count = run_on_loop(
        export_todos(settings, mongo_uri=backends.mongo_uri, write=_write_to_standard_output)
    )
    told = _amount(count, perf_counter() - started)
    tell(f"exported {told} from {place_of(settings)}", sys.stderr)


def _write_statistics(settings: Settings, backends: Backends) -> None:
    from app.exporting import read_statistics  # noqa: PLC0415

    statistics = run_on_loop(read_statistics(settings, mongo_uri=backends.mongo_uri))
    _write_to_standard_output(statistics + b"\n")
    tell(f"counted in {place_of(settings)}", sys.stderr)


def _write_to_standard_output(data: bytes) -> None:
    try:
        with _interrupted_at_once():
            left = memoryview(data)
            while left:  # With PYTHONUNBUFFERED a write may be cut off, as by Ctrl-Z.
                left = left[sys.stdout.buffer.write(left) :]
            sys.stdout.buffer.flush()
    except OSError as error:
        raise output_error(error) from error


@contextmanager
def _interrupted_at_once() -> Iterator[None]:
    """Let Ctrl-C end a write to a reader that pauses; the event loop hears of it only later."""
    of_the_loop = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, of_the_loop)


@contextmanager
def _backends(settings: Settings) -> Iterator[Backends]:
    # It answers nobody 503: what goes wrong is its last sentence.
    logging.getLogger("app.storage.operations").setLevel(logging.ERROR)
    with backends_of(settings) as backends:
        yield backends


def _amount(count: int, seconds: float) -> str:
    return f"{count:,} todos in {seconds:.1f} s ({count / seconds:,.0f} per second)"


DATA_COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = MappingProxyType(
    {"seed": _seed, "export": _export, "statistics": _statistics}
)
