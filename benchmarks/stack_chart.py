"""Draws the figures of ``benchmarks.stack``; run by it, in the peers' environment.

``python -m benchmarks.stack_chart FILE.json`` writes ``FILE.png`` and ``FILE.svg`` beside it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

_COLOURS = {"ours": "#0f766e", "static": "#cbd5e1", "article": "#94a3b8"}
_SIDES = {"ours": -0.5, "article": 0.5, "static": 1.5}
_TITLES = {"ours": "ours", "article": "the article's stack"}
_HEIGHT = 0.28

Row = dict[str, Any]


def draw(path: Path) -> None:
    """Draw throughput as fast as it goes, and the 99th percentiles at constant rates."""
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    closed = [row for row in results["summaries"] if row["rate"] is None]
    opened = [row for row in results["summaries"] if row["rate"] is not None]
    loads = [name for name in results["loads"] if any(row["load"] == name for row in opened)]
    # The same figures shall make the same file: element ids come from here, not from chance.
    mpl.rcParams.update({"svg.hashsalt": "stack", "svg.fonttype": "none", "font.size": 9})
    figure, panels = plt.subplots(1, 1 + len(loads), figsize=(13, 4.6), layout="constrained")
    _draw_rates(panels[0], closed, results["loads"])
    for panel, load in zip(panels[1:], loads, strict=True):
        _draw_latencies(panel, [row for row in opened if row["load"] == load])
        panel.set_title(f"{results['loads'][load]}, constant rate", loc="left", fontsize=10)
    figure.suptitle(
        f"nginx, {results['processes']} processes, MongoDB, Redis and the load on one machine: "
        f"medians of {results['rounds']} rounds ({results['machine']['date']})",
        fontsize=11,
    )
    handles, labels = panels[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path.with_suffix(".png"), dpi=150)
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})


def _draw_rates(panel: Any, rows: list[Row], loads: dict[str, str]) -> None:
    places = list(dict.fromkeys((row["load"], row["connections"]) for row in rows))
    for row in rows:
        position = places.index((row["load"], row["connections"]))
        position += _SIDES[row["system"]] * _HEIGHT
        rate = row["requests_per_second"] / 1000
        whisker = [[rate - row["slowest"] / 1000], [row["fastest"] / 1000 - rate]]
        error = {"ecolor": "#0f172a", "elinewidth": 0.8, "capsize": 2}
        colour = _COLOURS[row["system"]]
        panel.barh(position, rate, _HEIGHT, xerr=whisker, error_kw=error, color=colour)
        failed = " (errors)" if row["errors"] else ""
        panel.annotate(
            f"{rate:.1f}{failed}",
            (row["fastest"] / 1000, position),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    panel.set_yticks(
        range(len(places)), [f"{loads[load]}\n{count:,} connections" for load, count in places]
    )
    panel.invert_yaxis()
    panel.margins(x=0.2)
    panel.set_xlim(left=0)
    panel.set_xlabel("thousand requests per second, more is better")
    panel.set_title("as fast as it goes", loc="left", fontsize=10)
    panel.spines[["top", "right"]].set_visible(False)


def _draw_latencies(panel: Any, rows: list[Row]) -> None:
    for system, title in _TITLES.items():
        own = sorted((row for row in rows if row["system"] == system), key=lambda row: row["rate"])
        rates = [row["rate"] for row in own]
        for name, style in (("p99", "-"), ("p50", ":")):
            values = [row[f"{name}_milliseconds"] for row in own]
            look = {"color": _COLOURS[system], "linestyle": style, "marker": "o", "markersize": 3}
            panel.plot(rates, values, label=title if name == "p99" else None, **look)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xticks(
        sorted({row["rate"] for row in rows}),
        [f"{rate:,}" for rate in sorted({row["rate"] for row in rows})],
    )
    panel.minorticks_off()
    panel.set_xlabel("requests due in a second")
    panel.set_ylabel("ms from when due: p99 (line), p50 (dots)")
    panel.grid(axis="y", alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
