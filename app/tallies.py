"""Counters and histograms for hot paths, where prometheus_client's own cost more than the work.

They take no lock: only the event loop's thread counts. Their labels are one tuple, found in one
dictionary. A ready answer counts three things, in 0.5 us instead of 5.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

Labels = tuple[str, ...]


class TallyCounter(Collector):
    """A counter; ``counts[labels] += 1`` counts."""

    def __init__(self, name: str, documentation: str, names: Sequence[str]) -> None:
        self._name = name
        self._documentation = documentation
        self._names = names
        self.counts: defaultdict[Labels, int] = defaultdict(int)

    def collect(self) -> Iterator[Metric]:
        """Yield the counter as it is now."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._names)
        for labels, count in self.counts.items():
            family.add_metric(labels, count)
        yield family


class TallyHistogram(Collector):
    """A histogram with fixed buckets."""

    def __init__(
        self, name: str, documentation: str, names: Sequence[str], *, buckets: Sequence[float]
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._names = names
        self._buckets = buckets
        self._tallies: dict[Labels, _Tally] = {}

    def observe(self, labels: Labels, value: float, count: int = 1) -> None:
        """Count a value, as often as it was seen."""
        tally = self._tallies.get(labels)
        if tally is None:
            tally = self._tallies[labels] = _Tally(len(self._buckets) + 1)
        tally.counts[bisect_left(self._buckets, value)] += count
        tally.total += value * count

    def collect(self) -> Iterator[Metric]:
        """Yield the histogram as it is now."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._names)
        bounds = [*map(str, map(float, self._buckets)), "+Inf"]
        for labels, tally in self._tallies.items():
            buckets = list(zip(bounds, accumulate(tally.counts), strict=True))
            family.add_metric(labels, buckets, tally.total)
        yield family


class _Tally:
    __slots__ = ("counts", "total")

    def __init__(self, size: int) -> None:
        self.counts = [0] * size
        self.total = 0.0
