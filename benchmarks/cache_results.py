"""What the measurements of ``benchmarks.cache`` say: medians, paired ratios, and the bars."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.cache_load import Measurement
from benchmarks.cache_loads import BIG_LOADS, HOT, LOADS, RANDOM
from benchmarks.cache_servers import (
    NGINX,
    NGINX_UNLOGGED,
    OURS,
    PEER_NAMES,
    TITLES,
    UNLOGGED,
    UNPROVED,
)
from benchmarks.http_results import Comparison, Relation

_LOAD_TITLES = {load.name: load.title for load in (*LOADS, *BIG_LOADS)}


@dataclass(frozen=True)
class Summary:
    """The rounds of one system under one load at one number of connections."""

    system: str
    title: str
    load: str
    connections: int
    requests_per_second: float
    slowest: float
    fastest: float
    p50_milliseconds: float
    p99_milliseconds: float
    server_cpu: float
    load_cpu: float
    backends_cpu: float
    errors: dict[str, int]
    """Sums over all rounds, warm-ups included."""


def _rate(measurement: Measurement) -> float:
    # Who answered nobody counts as one request in a second.
    return max(1.0, measurement.requests_per_second)


def _rate_of_full_core(measurement: Measurement) -> float:
    """Return the requests for each second that the system computed, busy or not in between."""
    return _rate(measurement) / max(0.01, measurement.server_cpu)


@dataclass(frozen=True)
class _Bar:
    """Our service beside others under one load, round by round, both with their defaults."""

    load: str
    text: str
    others: tuple[str, ...]
    """Of these, the fastest of each round."""

    bar: float | None = None
    relation: Relation = "at least"
    fewest_only: bool = False
    """The bar stands for the fewest connections alone."""

    figure: Callable[[Measurement], float] = _rate
    ours: str = OURS


_BARS = (
    _Bar(HOT.name, "strict / best peer", PEER_NAMES, 8.0),
    _Bar(HOT.name, "strict / nginx, static file", (NGINX,), 1.0),
    _Bar(
        HOT.name,
        "strict / nginx, static file, for each second of CPU used",
        (NGINX,),
        figure=_rate_of_full_core,
    ),
    _Bar(
        HOT.name,
        "access logs off: strict / nginx, static file",
        (NGINX_UNLOGGED,),
        ours=UNLOGGED,
    ),
    _Bar(HOT.name, "strict / access log off", (UNLOGGED,)),
    _Bar(HOT.name, "strict / freshness proof off", (UNPROVED,), 0.8),
    _Bar(RANDOM.name, "ours / best peer", PEER_NAMES, 1.0, "above"),
    _Bar("anywhere", "ours / best peer", PEER_NAMES, 1.0, "above"),
    _Bar("writes", "ours / best peer", PEER_NAMES, 5.0, fewest_only=True),
    _Bar("mix-90-10", "ours / best peer", PEER_NAMES),
    _Bar("mix-50-50", "ours / best peer", PEER_NAMES),
)


def summarise(measurements: Sequence[Measurement]) -> list[Summary]:
    """Return a summary of every system under every load, in the order of the systems."""
    groups: dict[tuple[str, str, int], list[Measurement]] = defaultdict(list)
    for entry in measurements:
        groups[entry.system, entry.load, entry.connections].append(entry)
    order = list(TITLES)
    return sorted(map(_summary, groups.values()), key=lambda entry: order.index(entry.system))


def _summary(group: Sequence[Measurement]) -> Summary:
    def middle(figure: Callable[[Measurement], float]) -> float:
        return median(map(figure, group))

    rates = [entry.requests_per_second for entry in group]
    errors: Counter[str] = Counter()
    for entry in group:
        errors.update(entry.errors)
    return Summary(
        system=group[0].system,
        title=TITLES[group[0].system],
        load=group[0].load,
        connections=group[0].connections,
        requests_per_second=median(rates),
        slowest=min(rates),
        fastest=max(rates),
        p50_milliseconds=middle(lambda entry: entry.p50_milliseconds),
        p99_milliseconds=middle(lambda entry: entry.p99_milliseconds),
        server_cpu=middle(lambda entry: entry.server_cpu),
        load_cpu=middle(lambda entry: entry.load_cpu),
        backends_cpu=middle(lambda entry: entry.backends_cpu),
        errors=dict(errors),
    )


_Rounds = dict[str, list[Measurement]]
"""By system; in the order of rounds."""


def compare(measurements: Sequence[Measurement]) -> list[Comparison]:
    """Return every comparison whose systems were measured."""
    groups: dict[tuple[str, int], _Rounds] = defaultdict(lambda: defaultdict(list))
    for entry in sorted(measurements, key=lambda entry: entry.round):
        groups[entry.load, entry.connections][entry.system].append(entry)
    fewest = min(entry.connections for entry in measurements)
    return [
        *_compare_systems(groups, fewest),
        *_compare_commands(groups),
        *_count_errors(measurements),
    ]


def _compare_systems(groups: dict[tuple[str, int], _Rounds], fewest: int) -> Iterator[Comparison]:
    for bar in _BARS:
        for (load, connections), systems in sorted(groups.items()):
            if load != bar.load or not {bar.ours, *bar.others} <= systems.keys():
                continue
            rounds = zip(*(systems[name] for name in (bar.ours, *bar.others)), strict=True)
            ratios = [bar.figure(ours) / max(map(bar.figure, others)) for ours, *others in rounds]
            wanted = None if bar.fewest_only and connections != fewest else bar.bar
            text = f"{_LOAD_TITLES[load]}: {bar.text}"
            yield Comparison(text, f"{connections:,}", ratios, wanted, bar.relation)


def _compare_commands(groups: dict[tuple[str, int], _Rounds]) -> Iterator[Comparison]:
    for (load, connections), systems in sorted(groups.items()):
        rounds = systems.get(OURS)
        if load != HOT.name or rounds is None:
            continue
        per_turn = [entry.redis_commands / entry.proofs for entry in rounds]
        text = "hot list: Redis commands for each turn of the loop that proves freshness"
        yield Comparison(text, f"{connections:,}", per_turn, 1.0, "at most")
        hits = [entry.hits / entry.redis_commands for entry in rounds]
        yield Comparison("hot list: hits for each Redis command", f"{connections:,}", hits)


def _count_errors(measurements: Sequence[Measurement]) -> Iterator[Comparison]:
    errors: dict[int, float] = defaultdict(float)
    for entry in measurements:
        if entry.system == OURS:
            errors[entry.connections] += sum(entry.errors.values())
    for connections, count in sorted(errors.items()):
        text = "ours, all loads: errors of any kind"
        yield Comparison(text, f"{connections:,}", [count], 0, "exactly")
