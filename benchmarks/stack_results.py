"""What ``benchmarks.stack`` has measured, and what the rounds come to."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Measurement:
    """One stack, one load, one round."""

    system: str
    load: str
    round: int
    connections: int
    rate: int | None
    """Requests a second of the open loop; None: a closed one."""

    requests_per_second: float
    """Answered with 2xx, and in time."""

    p50_milliseconds: float
    p99_milliseconds: float
    errors: dict[str, int]
    busy_cpus: float
    load_cpus: float
    """Of the busy ones, those that computed the load."""


@dataclass(frozen=True)
class Summary:
    """The medians of all rounds."""

    system: str
    load: str
    connections: int
    rate: int | None
    requests_per_second: float
    slowest: float
    fastest: float
    p50_milliseconds: float
    p99_milliseconds: float
    load_cpus: float
    busy_cpus: float
    errors: dict[str, int]
    """Sums over all rounds, warm-ups included."""


@dataclass(frozen=True)
class Ratio:
    """Our throughput to another stack's, round by round."""

    load: str
    connections: int
    values: list[float]


def summarise(measurements: Sequence[Measurement]) -> list[Summary]:
    """Return a summary of every load on every stack, in the order of the measurements."""
    groups: dict[tuple[str, str, int, int | None], list[Measurement]] = defaultdict(list)
    for entry in measurements:
        groups[entry.system, entry.load, entry.connections, entry.rate].append(entry)
    return [_summary(group) for group in groups.values()]


def _summary(group: Sequence[Measurement]) -> Summary:
    first, rates = group[0], [entry.requests_per_second for entry in group]
    errors: Counter[str] = Counter()
    for entry in group:
        errors.update(entry.errors)
    return Summary(
        system=first.system,
        load=first.load,
        connections=first.connections,
        rate=first.rate,
        requests_per_second=median(rates),
        slowest=min(rates),
        fastest=max(rates),
        p50_milliseconds=median(entry.p50_milliseconds for entry in group),
        p99_milliseconds=median(entry.p99_milliseconds for entry in group),
        load_cpus=median(entry.load_cpus for entry in group),
        busy_cpus=median(entry.busy_cpus for entry in group),
        errors=dict(errors),
    )


def ratios(measurements: Sequence[Measurement], ours: str, other: str) -> list[Ratio]:
    """Return our throughput to another's for every closed loop."""
    rates: dict[tuple[str, int, int], dict[str, float]] = defaultdict(dict)
    for entry in measurements:
        if entry.rate is None:
            key = (entry.load, entry.connections, entry.round)
            rates[key][entry.system] = max(1.0, entry.requests_per_second)
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    for (load, connections, _), systems in rates.items():
        if other in systems:
            found[load, connections].append(systems[ours] / systems[other])
    return [Ratio(*key, values) for key, values in found.items()]
