"""The settings of MongoDB and Redis: where they are, what is asked of them, and for how long."""

# setting() returns a dataclass field, which the linter takes for a call that runs once too often.
# ruff: noqa: RUF009

from dataclasses import dataclass
from pathlib import Path

from app.settings_row import setting


@dataclass(frozen=True, kw_only=True)
class StorageSettings:
    """The part of `app.settings.Settings` that `app.resources` and the adapters are made from."""

    data_dir: Path = setting(
        Path("var"),
        group="Servers",
        help="directory for the data of embedded servers",
        reason="Relative to the working directory; what is stored there survives a restart.",
    )
    mongo_uri: str = setting(
        "embedded",
        group="Servers",
        help="MongoDB to use; embedded starts a private one",
        choices=("embedded",),
        schemes=("mongodb://", "mongodb+srv://"),
        reason="The service runs at once, without a server to install.",
    )
    redis_url: str = setting(
        "embedded",
        group="Servers",
        help="Redis to use; embedded starts a private one, none does without",
        choices=("embedded", "none"),
        schemes=("redis://", "rediss://", "unix://"),
        reason="The service runs at once, without a server to install.",
    )
    mongo_write_concern: str = setting(
        "majority",
        group="Servers",
        help="servers that hold a write before it is acknowledged: majority or how many",
        unit="members",
        reason="A write on a majority survives the loss of any one member.",
    )
    mongo_journal: bool = setting(
        True,
        group="Servers",
        help="acknowledge a write only when it is in the journal on disk",
        reason="An acknowledged todo survives a power cut.",
    )
    mongo_late_reads: str = setting(
        "secondaryPreferred",
        group="Servers",
        help="members of the replica set that exports and statistics are read from",
        choices=("primary", "secondary", "secondaryPreferred"),
        reason="Long reads leave the primary to those that must be fresh; a lone server has both.",
    )
    mongo_pool_size: int = setting(
        32,
        group="Limits",
        help="connections of one process to MongoDB",
        unit="connections",
        minimum=1,
        maximum=1000,
        reason="MongoDB spends a thread and about 1 MB on each, times the number of processes.",
    )
    mongo_waiting_limit: int = setting(
        1000,
        group="Limits",
        help="operations that may wait for a connection before requests get 503",
        unit="operations",
        minimum=0,
        maximum=100_000,
        reason="A longer queue would only pass its deadline in memory.",
    )
    mongo_connect_seconds: float = setting(
        2.0,
        group="Time limits",
        help="deadline for connecting to a MongoDB server, and how long a start waits for one",
        unit="seconds",
        minimum=0.1,
        maximum=60.0,
        reason="A connection takes milliseconds; the driver's own 20 s would hold its retries.",
    )
    mongo_operation_seconds: float = setting(
        5.0,
        group="Time limits",
        help="deadline of one storage operation",
        unit="seconds",
        minimum=0.1,
        maximum=60.0,
        reason="An indexed operation takes milliseconds; seconds leave room for an election.",
    )
    redis_timeout_seconds: float = setting(
        0.5,
        group="Time limits",
        help="deadline of one Redis call, and of connecting",
        unit="seconds",
        minimum=0.01,
        maximum=10.0,
        reason="A cache slower than the storage behind it is of no use.",
    )
    redis_write_seconds: float = setting(
        3.0,
        group="Time limits",
        help="how long a write waits for a Redis that is away before it gets 503",
        unit="seconds",
        minimum=0.1,
        maximum=60.0,
        reason="A restarted Redis is back within; and a client should not wait for longer.",
    )
