"""What a measurement of servers says: medians, paired ratios, and the bars that were set."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from benchmarks.http_load import Measurement
from benchmarks.http_servers import CONTENDERS, Kind

_PYTHON_PEERS = tuple(entry.name for entry in CONTENDERS if entry.kind == "python")
_TITLES = {entry.name: entry.title for entry in CONTENDERS}
_THROUGHPUT_KEPT = 0.8
"""Part of the throughput that must remain at the most connections."""

Relation = Literal["at least", "at most", "above", "exactly"]


@dataclass(frozen=True)
class Summary:
    """The rounds of one server at one number of connections: medians, and the spread."""

    server: str
    title: str
    kind: Kind
    connections: int
    requests_per_second: float
    slowest: float
    fastest: float
    p50_milliseconds: float
    p99_milliseconds: float
    server_cpu: float
    load_cpu: float
    head_bytes: int
    errors: dict[str, int]
    """Sums over all rounds, warm-ups included."""


@dataclass(frozen=True)
class Comparison:
    """One figure for each round, and what was asked of their median."""

    text: str
    connections: str
    values: Sequence[float]
    bar: float | None = None
    relation: Relation = "at least"

    @property
    def middle(self) -> float:
        """The median of all rounds."""
        return median(self.values)

    @property
    def verdict(self) -> str:
        """Say whether the median meets the bar, and in how many rounds; nothing without a bar."""
        if self.bar is None:
            return ""
        rounds = sum(map(self._is_met, self.values))
        said = "pass" if self._is_met(self.middle) else "miss"
        return f"{said} ({rounds} of {len(self.values)})"

    def _is_met(self, value: float) -> bool:
        match self.relation:
            case "at least":
                return self.bar is not None and value >= self.bar
            case "at most":
                return self.bar is not None and value <= self.bar
            case "above":
                return self.bar is not None and value > self.bar
            case "exactly":
                return value == self.bar


def _rate(measurement: Measurement) -> float:
    return measurement.requests_per_second


def _rate_of_full_core(measurement: Measurement) -> float:
    """Return the requests for each second that the server computed, busy or not in between."""
    return measurement.requests_per_second / measurement.server_cpu


_Groups = dict[int, dict[str, list[Measurement]]]
"""By number of connections and by server; in the order of rounds."""


@dataclass(frozen=True)
class _Pair:
    """Two servers whose figures are divided, round by round."""

    text: str
    above: str
    below: tuple[str, ...]
    """Of these, the fastest of each round."""

    bar: float | None = None
    relation: Relation = "at least"
    figure: Callable[[Measurement], float] = _rate


_PAIRS = (
    _Pair("RequestHandler road / stock Tornado", "road", ("tornado",), 2.2),
    _Pair("RequestHandler road / stock Tornado on uvloop", "road", ("tornado-uvloop",)),
    _Pair("RequestHandler road / FastAPI", "road", ("fastapi",), 1.0, "above"),
    _Pair("ready answers / nginx", "ready", ("nginx",), 1.0),
    _Pair(
        "ready answers / nginx, for each second of CPU used",
        "ready",
        ("nginx",),
        figure=_rate_of_full_core,
    ),
    _Pair("ready answers / best Python peer", "ready", _PYTHON_PEERS, 2.5),
    _Pair(
        "ready answers / nginx, every head different for both",
        "ready-distinct",
        ("nginx-distinct",),
    ),
    _Pair(
        "ready answers, every head different / best Python peer",
        "ready-distinct",
        _PYTHON_PEERS,
    ),
    _Pair("ready answers / granian, bare ASGI", "ready", ("granian-bare",)),
)


def summarise(measurements: Sequence[Measurement]) -> list[Summary]:
    """Return a summary for each server and number of connections, the fastest first."""
    groups: dict[tuple[str, int], list[Measurement]] = defaultdict(list)
    for measurement in measurements:
        groups[measurement.server, measurement.connections].append(measurement)
    kinds = {entry.name: entry.kind for entry in CONTENDERS}
    summaries = [
        _summary(group, kinds[server], connections)
        for (server, connections), group in groups.items()
    ]
    return sorted(summaries, key=lambda summary: -summary.requests_per_second)


def _summary(group: Sequence[Measurement], kind: Kind, connections: int) -> Summary:
    rates = [entry.requests_per_second for entry in group]
    errors: Counter[str] = Counter()
    for entry in group:
        errors.update(entry.errors)
    return Summary(
        server=group[0].server,
        title=_TITLES[group[0].server],
        kind=kind,
        connections=connections,
        requests_per_second=median(rates),
        slowest=min(rates),
        fastest=max(rates),
        p50_milliseconds=median(entry.p50_milliseconds for entry in group),
        p99_milliseconds=median(entry.p99_milliseconds for entry in group),
        server_cpu=median(entry.server_cpu for entry in group),
        load_cpu=median(entry.load_cpu for entry in group),
        head_bytes=group[0].head_bytes,
        errors=dict(errors),
    )


def compare(measurements: Sequence[Measurement]) -> list[Comparison]:
    """Return every comparison whose servers were measured."""
    groups: _Groups = defaultdict(lambda: defaultdict(list))
    for measurement in sorted(measurements, key=lambda entry: entry.round):
        groups[measurement.connections][measurement.server].append(measurement)
    return [
        *_compare_servers(groups),
        *_compare_connections(groups),
        *_count_errors(measurements),
    ]


def _compare_servers(groups: _Groups) -> Iterator[Comparison]:
    for pair in _PAIRS:
        for connections, servers in sorted(groups.items()):
            if {pair.above, *pair.below} <= servers.keys():
                rounds = zip(*(servers[name] for name in (pair.above, *pair.below)), strict=True)
                ratios = [
                    pair.figure(above) / max(map(pair.figure, below)) for above, *below in rounds
                ]
                yield Comparison(pair.text, f"{connections:,}", ratios, pair.bar, pair.relation)


def _compare_connections(groups: _Groups) -> Iterator[Comparison]:
    fewest, most = min(groups), max(groups)
    if fewest == most:
        return
    for entry in CONTENDERS:
        if entry.kind == "ours" and entry.name in groups[most]:
            rounds = zip(groups[most][entry.name], groups[fewest][entry.name], strict=True)
            ratios = [_rate(loaded) / _rate(light) for loaded, light in rounds]
            text = f"{entry.title}: throughput kept"
            yield Comparison(text, f"{most:,} / {fewest:,}", ratios, _THROUGHPUT_KEPT)


def _count_errors(measurements: Sequence[Measurement]) -> Iterator[Comparison]:
    ours = [entry.name for entry in CONTENDERS if entry.kind == "ours"]
    errors: dict[int, list[float]] = defaultdict(list)
    for measurement in measurements:
        if measurement.server in ours:
            errors[measurement.connections].append(sum(measurement.errors.values()))
    for connections, counts in sorted(errors.items()):
        yield Comparison(
            "ours: errors of any kind", f"{connections:,}", [sum(counts)], 0, "exactly"
        )
