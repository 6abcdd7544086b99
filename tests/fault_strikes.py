"""What is done to a node under load by the rows of `fault_rows`.

Each does it once, returns when its end has been seen, and returns the seconds that were waited for
what the row is about, if it is about that.
"""

import random
import time
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from urllib.request import urlopen

from fault_setups import BehindProxies, OnSmallDisks
from faulty_proxy import Weather
from node_faults import Patient, wait_for
from steady_load import takes_writes

from app.node.rolling import is_ready

WEATHER_SECONDS = 10.0
JUMP_SECONDS = 3600.0
_JUMP_LASTS_SECONDS = 5.0


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
    wait_for(lambda: _clock_is_wrong(patient), "the clock has jumped")
    time.sleep(_JUMP_LASTS_SECONDS)
    patient.signal(name, back)
    wait_for(lambda: not _clock_is_wrong(patient), "the clock is right again")


def _clock_is_wrong(patient: Patient) -> bool:
    with urlopen(f"http://127.0.0.1:{patient.node.ports[0]}/livez") as answer:
        told = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    return abs(told - time.time()) > JUMP_SECONDS / 2


def change_the_weather(server: str, weather: Weather) -> Callable[[Patient], None]:
    """Let the network to a server misbehave for some seconds."""

    def strike(patient: Patient) -> None:
        assert isinstance(patient, BehindProxies)
        patient.set_weather(server, weather)
        time.sleep(WEATHER_SECONDS)
        patient.set_weather(server, Weather.CALM)

    return strike
