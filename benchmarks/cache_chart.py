"""Draws the figures of ``benchmarks.cache``; run by it, in the peers' environment.

``python -m benchmarks.cache_chart FILE.json`` writes ``FILE.png`` and ``FILE.svg`` beside it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from benchmarks.http_chart import COLOURS

_KINDS = {
    **dict.fromkeys(("ours", "unlogged", "unproved"), "ours"),
    **dict.fromkeys(("nginx", "nginx-unlogged"), "yardstick"),
    "tornado": "tornado",
}
_HEIGHT = 0.8
"""Of all bars of a system; 1 would leave no room between systems."""

Row = dict[str, Any]


def draw(path: Path) -> None:
    """Draw a row of panels for each load: throughput, and the 99th percentile."""
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    summaries: list[Row] = results["summaries"]
    by_load = {
        name: [entry for entry in summaries if entry["load"] == name] for name in results["loads"]
    }
    heights = [len(_systems(rows)) for rows in by_load.values()]
    # The same figures shall make the same file: element ids come from here, not from chance.
    mpl.rcParams.update({"svg.hashsalt": "cache", "svg.fonttype": "none", "font.size": 9})
    figure, panels = plt.subplots(
        len(by_load),
        2,
        squeeze=False,
        figsize=(12, 1.6 + 0.7 * len(by_load) + 0.34 * sum(heights)),
        height_ratios=heights,
        layout="constrained",
    )
    for (rate, latency), (name, rows) in zip(panels, by_load.items(), strict=True):
        _draw_rates(rate, rows)
        _draw_latencies(latency, rows)
        rate.set_title(results["loads"][name], loc="left", fontsize=10, fontweight="bold")
    figure.suptitle(_title(results), fontsize=11)
    numbers = sorted({entry["connections"] for entry in summaries})
    handles = [
        Line2D([], [], color="#475569", alpha=_shade(number, numbers), linewidth=6)
        for number in numbers
    ]
    labels = [f"{number:,} connections" for number in numbers]
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path.with_suffix(".png"), dpi=150)
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})


def _systems(rows: list[Row]) -> list[str]:
    """Return the systems' titles in their order."""
    return list(dict.fromkeys(row["title"] for row in rows))


def _shade(connections: int, numbers: list[int]) -> float:
    """Return the opacity of a bar: the more connections, the lighter."""
    return 1 - 0.55 * numbers.index(connections) / max(1, len(numbers) - 1)


def _place(rows: list[Row]) -> list[tuple[Row, float, float, dict[str, Any]]]:
    """Return each row with its position, its height and how it looks."""
    systems = _systems(rows)
    numbers = sorted({row["connections"] for row in rows})
    height = _HEIGHT / len(numbers)
    placed = []
    for row in rows:
        offset = (numbers.index(row["connections"]) - (len(numbers) - 1) / 2) * height
        look = {
            "color": COLOURS[_KINDS.get(row["system"], "python")],
            "alpha": _shade(row["connections"], numbers),
        }
        placed.append((row, systems.index(row["title"]) + offset, height, look))
    return placed


def _draw_rates(panel: Any, rows: list[Row]) -> None:
    for row, position, height, look in _place(rows):
        rate = row["requests_per_second"]
        whisker = [[(rate - row["slowest"]) / 1000], [(row["fastest"] - rate) / 1000]]
        error = {"ecolor": "#0f172a", "elinewidth": 0.8, "capsize": 2}
        panel.barh(position, rate / 1000, height, xerr=whisker, error_kw=error, **look)
        failed = " (errors)" if row["errors"] else ""
        _label(panel, row["fastest"] / 1000, position, f"{rate / 1000:.1f}{failed}")
    _finish(panel, rows)
    panel.set_xlabel("thousand requests per second, more is better")
    panel.set_xlim(left=0)


def _draw_latencies(panel: Any, rows: list[Row]) -> None:
    for row, position, _, look in _place(rows):
        milliseconds = row["p99_milliseconds"]
        digits = 0 if milliseconds >= 100 else 1
        panel.plot(milliseconds, position, "o", markersize=6, **look)
        _label(panel, milliseconds, position, f"{milliseconds:,.{digits}f}")
    panel.set_xscale("log")
    panel.xaxis.set_minor_formatter(NullFormatter())  # They would lie on one another.
    _finish(panel, rows)
    panel.set_yticklabels([])
    panel.set_xlabel("99th percentile, ms (logarithmic), less is better")
    panel.grid(axis="x", alpha=0.25)


def _label(panel: Any, x: float, y: float, text: str) -> None:
    place = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"}
    panel.annotate(text, (x, y), fontsize=8, **place)


def _finish(panel: Any, rows: list[Row]) -> None:
    systems = _systems(rows)
    panel.set_yticks(range(len(systems)), systems)
    for label in panel.get_yticklabels():
        label.set_fontweight("bold" if label.get_text().startswith("ours") else "normal")
    panel.invert_yaxis()
    panel.margins(x=0.14)
    panel.spines[["top", "right"]].set_visible(False)


def _title(results: dict[str, Any]) -> str:
    return (
        f"The todo service, one core, {results['todos']:,} todos: medians, and whiskers from "
        f"slowest to fastest round\n(rounds: {results['rounds']} of {results['seconds']} s each, "
        f"{results['machine']['date']})"
    )


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
