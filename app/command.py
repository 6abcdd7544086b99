"""What the commands have in common: their settings, the servers they work with, how they fail."""

import logging
import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from app.embedded import join_servers
from app.embedded.mongod import Mongod, has_data
from app.log import configure_logging
from app.settings import Settings
from app.settings_row import redact
from app.settings_sources import given_flags, load_settings, render_settings
from app.standard_streams import show

try:
    from uvloop import run as run_on_loop
except ImportError:  # No wheel for this platform: slower, otherwise the same.
    from asyncio import run as run_on_loop  # type: ignore[assignment]

__all__ = [
    "Backends",
    "CommandError",
    "backends_of",
    "place_of",
    "require_data",
    "run_on_loop",
    "settings_of",
]


log = logging.getLogger(__name__)

_MULTIPROCESS = ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")
"""With these the Prometheus client keeps all numbers in files of a directory, which may be missing.
https://prometheus.github.io/client_python/multiprocess/"""


class CommandError(Exception):
    """A command cannot go on; the text is a sentence for the person who gave it."""


@dataclass(frozen=True, slots=True)
class Backends:
    """The servers a command works with."""

    mongo_uri: str
    redis_url: str | None
    description: str
    look_after: Callable[[], None] | None = None
    """Of those embedded: see `app.embedded.EmbeddedServers`."""


def settings_of(given: Namespace) -> Settings | None:
    """Return the settings, or None after printing them because that was asked for.

    The log is set up as they say, and told of variables that look like settings and are none.
    """
    loaded = load_settings(given_flags(given), os.environ, given.config)
    settings = loaded.settings
    configure_logging(
        level=settings.log_level, log_format=settings.log_format, access_log=settings.access_log
    )
    for sentence in loaded.ignored:
        log.warning("%s", sentence)
    if given.show_settings:
        show(render_settings(loaded))
        return None
    return settings


@contextmanager
def backends_of(settings: Settings) -> Iterator[Backends]:
    """Give the servers of the user's choice; those embedded live at least as long as the body.

    Raises:
        SettingsError: an address cannot be understood; nothing was started.
    """
    _prepare_imports(settings)
    own_mongo = settings.mongo_uri != "embedded"
    own_redis = settings.redis_url != "embedded"
    redis_url = None if settings.redis_url == "none" else settings.redis_url
    if own_mongo and own_redis:
        yield Backends(settings.mongo_uri, redis_url, "")
        return
    # Before servers are started that nobody would use.
    from app.resources import require_understood  # noqa: PLC0415 - imports Motor, sized by now.

    require_understood(
        settings,
        mongo_uri=settings.mongo_uri if own_mongo else None,
        redis_url=redis_url if own_redis else None,
    )
    with join_servers(
        settings.data_dir,
        need_mongo=not own_mongo,
        need_redis=not own_redis,
        on_wait=log.info,
    ) as embedded:
        yield Backends(
            settings.mongo_uri if own_mongo else embedded.mongo_uri,
            redis_url if own_redis else embedded.redis_url,
            embedded.description,
            embedded.look_after,
        )


def require_data(settings: Settings) -> None:
    """Refuse an embedded MongoDB that has kept nothing yet: there would be nothing to read."""
    if settings.mongo_uri != "embedded":
        return
    # A directory that may not be entered is refused with a sentence of its own.
    with suppress(PermissionError):
        if not has_data(settings.data_dir / Mongod.data_path):
            raise CommandError(
                f"there are no todos in {settings.data_dir.resolve()}: "
                "say where they are with --data-dir, --mongo-uri or --config"
            )


def place_of(settings: Settings) -> str:
    """Return where the todos are, as text for people: an address, or the data directory."""
    if settings.mongo_uri == "embedded":
        return str(settings.data_dir.resolve())
    return redact(settings.mongo_uri)


def _prepare_imports(settings: Settings) -> None:
    """Set the variables that packages read when they are imported."""
    # A thread for each connection. Operations beyond it wait in `app.storage.operations`, which
    # can give them up.
    os.environ["MOTOR_MAX_WORKERS"] = str(settings.mongo_pool_size)
    for name in _MULTIPROCESS:
        if os.environ.pop(name, None) is not None:
            log.warning("%s is ignored: each process has metrics of its own", name)
