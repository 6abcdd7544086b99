"""The faults of `tests/faults.py`: what is done to a node under load, how often, and what holds.

In every row nothing stale is read, no acknowledged write is lost, and no answer is one that nobody
should ever get (500, or what HTTP does not allow).
"""

from collections.abc import Callable
from dataclasses import dataclass

from fault_setups import (
    Setup,
    behind_proxies,
    on_small_disks,
    plain,
    with_a_shifting_clock,
    with_mongodbs_own_elections,
)
from fault_strikes import (
    JUMP_SECONDS,
    WEATHER_SECONDS,
    change_the_weather,
    fill_logs,
    fill_members,
    flush_redis,
    kill_a_process,
    kill_nginx,
    kill_redis,
    kill_the_primary,
    let_the_clock_jump,
    pause,
    pause_the_primary,
    reload_nginx,
)
from faulty_proxy import Weather
from node_faults import Patient

_FULL_LOG_SECONDS = 15.0
_FULL_DATA_SECONDS = 90.0
"""MongoDB first uses the journal that it has, and misses room at its checkpoint, each 60 s."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One kind of fault.

    Attributes:
        name: what is done.
        times: in the whole campaign.
        short_times: in the short one.
        strike: does it once; see `fault_strikes`.
        most_error_share: of requests that were answered with an error, or not at all.
        most_read_error_share: of reads alone, where writes may have to fail.
        most_seconds: that any request may take.
        most_read_seconds: that a read may take; reads then have to go on through the fault.
        most_seconds_without_write: that may pass until a write is done again.
        back_seconds: that what ``strike`` returns may be.
        keeps_connections: clients keep theirs.
        clock_jump_seconds: by how much the times that its clocks told may differ, at most.
        setup: the node to which it is done.
    """

    name: str
    times: int
    short_times: int
    strike: Callable[[Patient], float | None]
    most_error_share: float = 1.0
    most_read_error_share: float = 1.0
    most_seconds: float
    most_read_seconds: float | None = None
    most_seconds_without_write: float | None = None
    back_seconds: float | None = None
    keeps_connections: bool = True
    clock_jump_seconds: float = 0.0
    setup: Setup = plain


_WEATHERS = {
    # Their deadlines, with how long Redis is waited for once more, and a second:
    # mongo_operation_seconds; redis_write_seconds and redis_timeout_seconds.
    "MongoDB": 5.0 + 1.0,
    "Redis": 3.0 + 0.5 + 1.0,
}


def _weather_row(server: str, weather: Weather) -> Row:
    name = weather.name.lower().replace("_", " ")
    is_passable = weather in (Weather.LATENCY, Weather.SLICES)
    return Row(
        name=f"{name} between the service and {server}, {WEATHER_SECONDS:g} s",
        times=12,
        short_times=1 if weather is Weather.RESET else 0,
        strike=change_the_weather(server, weather),
        most_error_share=0.0 if is_passable else 0.05,
        # Without Redis everything can be read.
        most_read_error_share=0.001 if server == "Redis" else 1.0,
        most_seconds=_WEATHERS[server],
        setup=behind_proxies,
    )


ROWS = (
    Row(
        name="kill -9 a process of the service",
        times=100,
        short_times=1,
        strike=kill_a_process,
        most_error_share=0.0005,
        most_seconds=10,
        back_seconds=2,
    ),
    Row(
        name="SIGSTOP a process of the service, 30 s",
        times=10,
        short_times=0,
        strike=pause(lambda patient: patient.random.choice(patient.services), 30),
        most_error_share=0.001,
        most_seconds=16,
    ),
    Row(
        name="kill -9 the primary of MongoDB",
        times=20,
        short_times=1,
        strike=kill_the_primary,
        most_error_share=0.01,
        most_seconds=10,
        most_seconds_without_write=5,
    ),
    Row(
        name="SIGSTOP the primary of MongoDB, 20 s",
        times=5,
        short_times=0,
        strike=pause_the_primary(20),
        most_error_share=0.01,
        most_seconds=10,
        most_seconds_without_write=10,
    ),
    Row(
        name="kill -9 Redis",
        times=50,
        short_times=1,
        strike=kill_redis,
        most_error_share=0.001,
        most_seconds=3.5,
        most_read_seconds=1.0,
    ),
    Row(
        name="flush Redis",
        times=50,
        short_times=0,
        strike=flush_redis,
        most_error_share=0.001,
        most_seconds=3.5,
        most_read_seconds=1.0,
    ),
    Row(
        name="SIGSTOP Redis, 10 s",
        times=50,
        short_times=0,
        strike=pause(lambda _: "redis", 10),
        # Writes wait for Redis, and fail when they have waited for long enough.
        most_read_error_share=0.001,
        most_seconds=3.5,
        most_read_seconds=1.0,
    ),
    Row(
        name="kill -9 nginx",
        times=20,
        short_times=1,
        strike=kill_nginx,
        most_error_share=0.01,
        most_seconds=10,
        back_seconds=2,
    ),
    Row(
        name="reload nginx",
        times=100,
        short_times=1,
        strike=reload_nginx,
        most_error_share=0,
        most_seconds=10,
        keeps_connections=False,
    ),
    *(
        _weather_row(server, weather)
        for server in _WEATHERS
        for weather in Weather
        if weather is not Weather.CALM
    ),
    Row(
        name=f"disk full under the primary of MongoDB, {_FULL_DATA_SECONDS:g} s",
        times=5,
        short_times=0,
        strike=fill_members(lambda patient: [patient.primary()], _FULL_DATA_SECONDS),
        most_error_share=0.001,
        most_seconds=10,
        back_seconds=30,
        setup=on_small_disks,
    ),
    Row(
        name=f"disk full under all of MongoDB, {_FULL_DATA_SECONDS:g} s",
        times=5,
        short_times=0,
        strike=fill_members(lambda patient: patient.members, _FULL_DATA_SECONDS),
        most_seconds=10,
        back_seconds=30,
        setup=on_small_disks,
    ),
    Row(
        name=f"disk full under the logs, {_FULL_LOG_SECONDS:g} s",
        times=5,
        short_times=0,
        strike=fill_logs(_FULL_LOG_SECONDS),
        most_error_share=0.001,
        most_seconds=10,
        back_seconds=30,
        setup=on_small_disks,
    ),
    Row(
        name="wall clock an hour on or back in one process, 5 s",
        times=5,
        short_times=1,
        strike=let_the_clock_jump,
        most_error_share=0,
        most_seconds=10,
        clock_jump_seconds=2 * JUMP_SECONDS,  # On by one, and back by one another time.
        setup=with_a_shifting_clock,
    ),
    Row(
        name="kill -9 the primary of MongoDB, with MongoDB's own election settings",
        times=5,
        short_times=0,
        strike=kill_the_primary,
        most_error_share=0.01,
        most_seconds=10,
        most_seconds_without_write=15,
        setup=with_mongodbs_own_elections,
    ),
)
