"""The settings: one table that drives flags, variables, the config file, --help and the docs.

The fields of `Settings` are that table. `app.settings_sources` reads values into it and prints it.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Any

from app.settings_http import HttpSettings
from app.settings_row import GROUPS, Setting, SettingsError, quoted, setting
from app.settings_storage import StorageSettings

__all__ = ["TABLE", "Settings", "SettingsError", "is_loopback"]

# An IPv6 address has two colons at least, and may name an interface behind a "%".
_LISTENING_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?")

_NETWORKS = re.compile(r"[0-9A-Fa-f:./, ]+")

_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")

# 0 would acknowledge writes that no server has seen; a replica set has 50 members at most:
# https://www.mongodb.com/docs/manual/reference/limits/
WRITE_CONCERN = re.compile("majority|[1-9]|[1-4][0-9]|50")


@dataclass(frozen=True, kw_only=True)
class Settings(HttpSettings, StorageSettings):
    """Every setting of a process, checked once, when it is made.

    Raises:
        SettingsError: a value is outside its limits, or listening there needs `allow_public`.

    """

    host: str = setting(
        "127.0.0.1",
        group="Listening",
        help="address to listen on",
        reason="Loopback, since there is no authentication yet.",
    )
    port: int = setting(
        8000,
        group="Listening",
        help="port to listen on; 0 takes any free one",
        minimum=0,
        maximum=65535,
        reason="The usual port of a web application in development; it needs no privileges.",
    )
    allow_public: bool = setting(
        False,
        group="Listening",
        help="listen on an address that other machines can reach",
        reason="There are no accounts yet; whom it serves there is what anonymous says.",
    )
    anonymous: str = setting(
        "auto",
        group="Listening",
        help="who is served without an account: auto is this machine, write is whoever comes",
        choices=("auto", "write"),
        reason="Nobody has an account yet; auto serves nobody where others can reach the service.",
    )
    hosts: str = setting(
        "loopback",
        group="Listening",
        help="names in Host that are served: loopback, any, or more names with commas between them",
        reason="A page whose name is made to lead to this machine (DNS rebinding) could read all.",
    )
    trusted_proxies: str = setting(
        "none",
        group="Listening",
        help="networks whose X-Forwarded-For and -Proto are believed: 127.0.0.0/8,10.1.2.3, say",
        reason="Whoever is believed can choose the client address that is logged.",
    )
    listen_when_ready: bool = setting(
        False,
        group="Listening",
        help="listen only when MongoDB has been found; until then connections are refused",
        reason="Alone, 503 and /livez tell more; a proxy asks others (conf/node.todo.conf).",
    )
    creates_waiting_limit: int = setting(
        10_000,
        group="Limits",
        help="new todos that may wait for their shared write before requests get 503",
        unit="todos",
        minimum=1,
        maximum=1_000_000,
        reason="A write takes 1,000 of them in milliseconds; a longer queue waits in vain.",
    )
    cache_bytes: int = setting(
        67_108_864,
        group="Limits",
        help="answers that one process keeps",
        unit="bytes",
        minimum=65_536,
        maximum=17_179_869_184,
        reason="64 MiB hold some 20,000 pages; the least recently used go first.",
    )
    cache_body_bytes: int = setting(
        1_048_576,
        group="Limits",
        help="largest body that is kept in Redis",
        unit="bytes",
        minimum=1024,
        maximum=67_108_864,
        reason="A page of the longest todos has 1.6 MiB; few have a tenth of that.",
    )
    max_start: int = setting(
        10_000,
        group="Limits",
        help="largest start of the v0 list",
        unit="todos",
        minimum=0,
        maximum=1_000_000,
        reason="MongoDB walks over every todo it skips; the cursor of v1 costs the same anywhere.",
    )
    cache_seconds: float = setting(
        60.0,
        group="Time limits",
        help="longest time that an answer is kept",
        unit="seconds",
        minimum=1.0,
        maximum=86_400.0,
        reason="Bounds what changes behind the service's back cost; its own are seen at once.",
    )
    drain_seconds: float = setting(
        25.0,
        group="Time limits",
        help="deadline for requests in flight at shutdown",
        unit="seconds",
        minimum=0.0,
        maximum=3600.0,
        reason="Supervisors kill after 30 s or so; this leaves time to close the clients.",
    )
    ready_timeout_seconds: float = setting(
        1.0,
        group="Time limits",
        help="deadline of each backend check of /readyz",
        unit="seconds",
        minimum=0.05,
        maximum=60.0,
        reason="Whoever asks usually gives up after 1 to 2 s.",
    )
    retry_after_seconds: int = setting(
        1,
        group="Time limits",
        help="Retry-After of 503 answers",
        unit="seconds",
        minimum=1,
        maximum=3600,
        reason="The header knows whole seconds only; overload and elections pass in a few.",
    )
    cache_status: bool = setting(
        False,
        group="Logging",
        help="answer GET with a Cache-Status header: where the answer was found",
        reason="For looking at the cache; the quickest way to answer is not taken then.",
    )
    log_level: str = setting(
        "info",
        group="Logging",
        help="least severe level that is logged",
        choices=("debug", "info", "warning", "error"),
    )
    log_format: str = setting(
        "auto",
        group="Logging",
        help="how a log line looks; auto is console on a terminal and json otherwise",
        choices=("auto", "console", "json"),
    )
    access_log: bool = setting(
        True,
        group="Logging",
        help="log one line for every request",
    )

    def __post_init__(self) -> None:
        for row in TABLE.values():
            row.check(getattr(self, row.name))
        self._check_write_concern()
        self._check_host()
        self.trusted_networks  # noqa: B018 - so that a wrong one is found now.
        self.host_names  # noqa: B018 - likewise.

    @property
    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of `trusted_proxies`."""
        if self.trusted_proxies == "none":
            return ()
        try:
            names = self.trusted_proxies.split(",")
            return tuple(ipaddress.ip_network(name.strip()) for name in names)
        except ValueError as error:
            # SECURITY: the sentence of the library repeats a part, maybe that with the password.
            is_near = _NETWORKS.fullmatch(self.trusted_proxies)
            reason = str(error) if is_near else f"not {quoted(self.trusted_proxies)}"
            raise TABLE["trusted_proxies"].error(
                f"must be none, or networks with commas between them: {reason}"
            ) from None

    @property
    def host_names(self) -> tuple[str, ...] | None:
        """The names of `hosts` beside those of loopback; None where any is served."""
        if self.hosts in ("loopback", "any"):
            return () if self.hosts == "loopback" else None
        names = tuple(name.strip() for name in self.hosts.split(","))
        for name in names:
            if not _HOST_NAME.fullmatch(name):
                raise TABLE["hosts"].error(
                    f"must be loopback, any, or names without ports and commas between them "
                    f"(todo.example.org, 192.0.2.1, [2001:db8::1]), not {quoted(self.hosts)}"
                )
        return names

    def _check_write_concern(self) -> None:
        if not WRITE_CONCERN.fullmatch(self.mongo_write_concern):
            raise TABLE["mongo_write_concern"].error(
                f"must be majority or a number of members between 1 and 50, "
                f"not {quoted(self.mongo_write_concern)}"
            )

    def _check_host(self) -> None:
        if not _LISTENING_HOST.fullmatch(self.host):
            # SECURITY: before anybody is told of allow_public for what is a slip.
            raise TABLE["host"].error(
                f"must be an address or a name without scheme, brackets and port "
                f"(127.0.0.1, ::1, localhost), not {quoted(self.host)}"
            )
        if not self.allow_public and not is_loopback(self.host):
            raise TABLE["host"].error(
                f"{quoted(self.host)} is not a loopback address, and without authentication "
                f"whoever reaches it can change every todo: set allow_public to listen there "
                f"all the same"
            )


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach `host`; of all names only localhost is known to."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _read_table() -> Mapping[str, Setting]:
    rows: list[Setting] = []
    for column in fields(Settings):
        row: dict[str, Any] = {"kind": column.type, "default": column.default, **column.metadata}
        rows.append(Setting(name=column.name, **row))
    rows.sort(key=lambda row: GROUPS.index(row.group))
    return MappingProxyType({row.name: row for row in rows})


TABLE: Mapping[str, Setting] = _read_table()
