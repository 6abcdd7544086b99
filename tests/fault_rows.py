"""The faults of `tests/faults.py`: what is done to a node under load, how often, and what holds.

In every row nothing stale is read, no acknowledged write is lost, and no answer is one that nobody
should ever get (500, or what HTTP does not allow).
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fault_setups import (
    LOG,
    BehindProxies,
    OnSmallDisks,
    Setup,
    behind_proxies,
    on_small_disks,
    plain,
    with_a_shifting_clock,
)
from faulty_proxy import Weather
from node_faults import Patient, wait_for
from steady_load import takes_writes

from app.node.rolling import is_ready

_WEATHER_SECONDS = 10.0
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
        strike: does it once, and returns when its end has been seen; the seconds that were waited
            for what the row is about, or None.
        most_error_share: of requests that were answered with an error, or not at all.
        most_read_error_share: of reads alone, where writes may have to fail.
        most_seconds: that any request may take.
        back_seconds: that what ``strike`` returns may be.
        writes_back_seconds: from a fault to the first write that began after it and was done.
        keeps_connections: clients keep theirs.
        setup: the node to which it is done.
    """

    name: str
    times: int
    short_times: int
    strike: Callable[[Patient], float | None]
    most_error_share: float = 1.0
    most_read_error_share: float = 1.0
    most_seconds: float
    back_seconds: float | None = None
    writes_back_seconds: float | None = None
    keeps_connections: bool = True
    setup: Setup = plain


def _seconds_until(what: Callable[[], object], words: str) -> float:
    begun = time.monotonic()
    wait_for(what, words)
    return time.monotonic() - begun


def kill_a_process(patient: Patient) -> float:
    """Kill a process of the service."""
    port = random.choice(patient.node.ports)
    pid = patient.pid(f"todo-{port}")
    patient.kill(f"todo-{port}")
    return _seconds_until(
        lambda: patient.pid(f"todo-{port}") != pid and is_ready(port), f"{port} is ready"
    )


def pause_a_process(seconds: float) -> Callable[[Patient], None]:
    """Stop a process of the service for some time."""
    return lambda patient: patient.pause(random.choice(patient.services), seconds)


def kill_the_primary(patient: Patient) -> None:
    """Kill the primary of the replica set."""
    patient.kill(patient.primary())


def pause_the_primary(seconds: float) -> Callable[[Patient], None]:
    """Stop the primary for some time: it is deposed, and does not know it when it goes on."""
    return lambda patient: patient.pause(patient.primary(), seconds)


def kill_redis(patient: Patient) -> None:
    """Kill Redis; it comes back empty."""
    patient.kill("redis")


def flush_redis(patient: Patient) -> None:
    """Empty Redis."""
    patient.flush_redis()


def pause_redis(seconds: float) -> Callable[[Patient], None]:
    """Stop Redis for some time."""
    return lambda patient: patient.pause("redis", seconds)


def kill_nginx(patient: Patient) -> float:
    """Kill nginx, its workers as well or not."""
    pid = patient.pid("nginx")
    (patient.kill if random.random() < 0.5 else patient.kill_with_children)("nginx")
    return _seconds_until(
        lambda: patient.pid("nginx") != pid and is_ready(patient.node.port), "nginx answers"
    )


def reload_nginx(patient: Patient) -> None:
    """Let nginx read its configuration again."""
    patient.signal("nginx", "HUP")


def fill(
    choose: Callable[[OnSmallDisks], Sequence[str]], seconds: float
) -> Callable[[Patient], float]:
    """Keep disks full for some time; return how long after that changes are carried out."""

    def strike(patient: Patient) -> float:
        assert isinstance(patient, OnSmallDisks)
        pids = [patient.pid(name) for name in patient.services]
        with patient.full(choose(patient)):
            time.sleep(seconds)
        back = _seconds_until(lambda: takes_writes(patient.node.port), "changes are carried out")
        assert [patient.pid(name) for name in patient.services] == pids, "a process has ended"
        return back

    return strike


def let_the_clock_jump(patient: Patient) -> None:
    """Put one process's clock an hour on, or back, and right again some seconds later."""
    name = patient.services[0]
    there, back = random.sample(("USR1", "USR2"), 2)
    patient.signal(name, there)
    time.sleep(5)
    patient.signal(name, back)


def change_the_weather(server: str, weather: Weather) -> Callable[[Patient], None]:
    """Let the network to a server misbehave for some seconds."""

    def strike(patient: Patient) -> None:
        assert isinstance(patient, BehindProxies)
        patient.set_weather(server, weather)
        time.sleep(_WEATHER_SECONDS)
        patient.set_weather(server, Weather.CALM)

    return strike


def _weather_row(server: str, weather: Weather, *, most_seconds: float) -> Row:
    name = weather.name.lower().replace("_", " ")
    return Row(
        name=f"{name} between the service and {server}, {_WEATHER_SECONDS:g} s",
        times=12,
        short_times=1 if weather is Weather.RESET else 0,
        strike=change_the_weather(server, weather),
        most_seconds=most_seconds,
        setup=behind_proxies,
    )


ROWS = (
    Row(
        name="kill -9 a process of the service",
        times=100,
        short_times=2,
        strike=kill_a_process,
        most_error_share=0.0005,
        most_seconds=10,
        back_seconds=2,
    ),
    Row(
        name="SIGSTOP a process of the service, 30 s",
        times=10,
        short_times=0,
        strike=pause_a_process(30),
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
        writes_back_seconds=5,
    ),
    Row(
        name="SIGSTOP the primary of MongoDB, 20 s",
        times=5,
        short_times=0,
        strike=pause_the_primary(20),
        most_error_share=0.01,
        most_seconds=10,
    ),
    Row(
        name="kill -9 Redis",
        times=50,
        short_times=1,
        strike=kill_redis,
        most_error_share=0.001,
        most_seconds=10,
    ),
    Row(
        name="flush Redis",
        times=50,
        short_times=2,
        strike=flush_redis,
        most_error_share=0.001,
        most_seconds=10,
    ),
    Row(
        name="SIGSTOP Redis, 10 s",
        times=50,
        short_times=0,
        strike=pause_redis(10),
        # The few clients that wait for an answer each soon wait for a write.
        most_read_error_share=0.001,
        most_seconds=3.5,
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
        short_times=3,
        strike=reload_nginx,
        most_error_share=0,
        most_seconds=10,
        keeps_connections=False,
    ),
    *(
        _weather_row(server, weather, most_seconds=most_seconds)
        # Their deadlines and a second: mongo_operation_seconds, redis_write_seconds.
        for server, most_seconds in (("MongoDB", 6.0), ("Redis", 4.5))
        for weather in Weather
        if weather is not Weather.CALM
    ),
    Row(
        name=f"disk full under the primary of MongoDB, {_FULL_DATA_SECONDS:g} s",
        times=5,
        short_times=0,
        strike=fill(lambda patient: [patient.primary()], _FULL_DATA_SECONDS),
        most_error_share=0.001,
        most_seconds=10,
        back_seconds=30,
        setup=on_small_disks,
    ),
    Row(
        name=f"disk full under all of MongoDB, {_FULL_DATA_SECONDS:g} s",
        times=5,
        short_times=0,
        strike=fill(lambda patient: patient.members, _FULL_DATA_SECONDS),
        most_seconds=10,
        back_seconds=30,
        setup=on_small_disks,
    ),
    Row(
        name=f"disk full under the logs, {_FULL_LOG_SECONDS:g} s",
        times=5,
        short_times=0,
        strike=fill(lambda _: [LOG], _FULL_LOG_SECONDS),
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
        setup=with_a_shifting_clock,
    ),
)
