"""What is done to a node under load by the rows of `fault_rows`.

Each does it once, returns when its end has been seen, and returns the seconds that were waited for
what the row is about, if it is about that.
"""

import time
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from urllib.request import urlopen

from fault_setups import LOG, BehindProxies, OnSmallDisks
from faulty_proxy import Weather
from node_faults import Patient, wait_for
from steady_load import takes_writes

from app.node.rolling import is_ready

WEATHER_SECONDS = 10.0
JUMP_SECONDS = 3600.0
_JUMP_LASTS_SECONDS = 5.0


def kill_a_process(patient: Patient) -> float:
    """Kill a process of the service."""
    port = patient.random.choice(patient.node.ports)
    begun = time.monotonic()
    patient.kill(f"todo-{port}")
    wait_for(lambda: is_ready(port), f"{port} is ready")
    return time.monotonic() - begun


def pause(choose: Callable[[Patient], str], seconds: float) -> Callable[[Patient], None]:
    """Stop a program for some time."""

    def strike(patient: Patient) -> None:
        with patient.paused(choose(patient), seconds):
            pass

    return strike


def kill_the_primary(patient: Patient) -> None:
    """Kill the primary of the replica set."""
    patient.kill(patient.primary())


def pause_the_primary(seconds: float) -> Callable[[Patient], None]:
    """Stop the primary for some time: it is deposed, and does not know it when it goes on."""

    def strike(patient: Patient) -> None:
        old = patient.primary()
        with patient.paused(old, seconds):
            assert patient.primary() != old

    return strike


def kill_redis(patient: Patient) -> None:
    """Kill Redis; it comes back empty."""
    patient.kill("redis")


def flush_redis(patient: Patient) -> None:
    """Empty Redis."""
    patient.flush_redis()


def kill_nginx(patient: Patient) -> float:
    """Kill nginx, its workers as well or not."""
    begun = time.monotonic()
    patient.kill("nginx", with_children=patient.random.random() < 0.5)
    wait_for(lambda: is_ready(patient.node.port), "nginx answers")
    return time.monotonic() - begun


def reload_nginx(patient: Patient) -> None:
    """Let nginx read its configuration again; return when it has new workers."""
    old = patient.children("nginx")
    patient.signal("nginx", "HUP")
    wait_for(lambda: patient.children("nginx") - old, "nginx has new workers")


def fill_members(
    choose: Callable[[Patient], Sequence[str]], seconds: float
) -> Callable[[Patient], float]:
    """Keep disks of MongoDB full until its members have ended; see `_fill`."""

    def strike(patient: Patient) -> float:
        members = choose(patient)
        pids = {name: patient.pid(name) for name in members}
        waited = _fill(patient, members, seconds)
        living = [name for name in members if patient.pid(name) == pids[name]]
        assert not living, f"the full disk was not noticed by {living}"
        return waited

    return strike


def fill_logs(seconds: float) -> Callable[[Patient], float]:
    """Keep the disk of the logs full for some time; see `_fill`."""
    return lambda patient: _fill(patient, [LOG], seconds)


def _fill(patient: Patient, disks: Sequence[str], seconds: float) -> float:
    """Keep disks full for some time; return how long after that a write is carried out."""
    assert isinstance(patient, OnSmallDisks)
    pids = [patient.pid(name) for name in patient.services]
    with patient.full(disks):
        time.sleep(seconds)
        wait_for(lambda: all(patient.is_full(disk) for disk in disks), "the disks are full")
    begun = time.monotonic()
    wait_for(lambda: patient.stores() and takes_writes(patient.node.port), "writes are carried out")
    assert [patient.pid(name) for name in patient.services] == pids, "a process has ended"
    return time.monotonic() - begun


def let_the_clock_jump(patient: Patient) -> None:
    """Put one process's clock an hour on, or back, and right again some seconds later."""
    name = patient.services[0]
    there, back = patient.random.sample(("USR1", "USR2"), 2)
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
        assert patient.touched(server), "the weather reached nobody"
        patient.set_weather(server, Weather.CALM)

    return strike
