"""Draws the figures of ``benchmarks.http``; run by it, in the peers' environment.

``python -m benchmarks.http_chart FOLDER`` reads ``http.json`` there and writes ``http.png`` and
``http.svg`` beside it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

COLOURS = {
    "ours": "#c2410c",
    "tornado": "#64748b",
    "python": "#94a3b8",
    "yardstick": "#1e3a5f",
}
LEGEND = {
    "ours": "ours",
    "tornado": "stock Tornado",
    "python": "Python peers",
    "yardstick": "yardsticks in C and Rust",
}


def draw(folder: Path) -> None:
    """Draw one panel for each number of connections, the servers in one order in all of them."""
    results: dict[str, Any] = json.loads((folder / "http.json").read_text(encoding="utf-8"))
    summaries: list[dict[str, Any]] = results["summaries"]
    numbers = sorted({entry["connections"] for entry in summaries})
    order = [entry["server"] for entry in summaries if entry["connections"] == numbers[0]]
    # The same figures shall make the same file: element ids come from here, not from chance.
    mpl.rcParams.update({"svg.hashsalt": "http", "svg.fonttype": "none", "font.size": 10})
    figure, panels = plt.subplots(
        1,
        len(numbers),
        sharex=True,
        squeeze=False,
        figsize=(3 + 4.5 * len(numbers), 1.6 + 0.36 * len(order)),
        layout="constrained",
    )
    for panel, connections in zip(panels[0], numbers, strict=True):
        rows = {
            entry["server"]: entry for entry in summaries if entry["connections"] == connections
        }
        _draw_panel(panel, [rows[server] for server in order])
        panel.set_title(f"{connections:,} connections", loc="left", fontsize=11)
    for panel in panels[0][1:]:
        panel.set_yticklabels([])
    figure.suptitle(_title(results), fontsize=11)
    handles = [Rectangle((0, 0), 1, 1, color=COLOURS[kind]) for kind in LEGEND]
    figure.legend(handles, LEGEND.values(), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(folder / "http.png", dpi=150)
    figure.savefig(folder / "http.svg", metadata={"Date": None})


def _draw_panel(panel: Any, rows: list[dict[str, Any]]) -> None:
    rates = [row["requests_per_second"] / 1000 for row in rows]
    whiskers = [
        [(row["requests_per_second"] - row["slowest"]) / 1000 for row in rows],
        [(row["fastest"] - row["requests_per_second"]) / 1000 for row in rows],
    ]
    panel.barh(
        range(len(rows)),
        rates,
        xerr=whiskers,
        color=[COLOURS[row["kind"]] for row in rows],
        error_kw={"ecolor": "#0f172a", "elinewidth": 1, "capsize": 2.5},
        height=0.72,
    )
    for position, row in enumerate(rows):
        failed = " (errors)" if row["errors"] else ""
        label = f"{row['requests_per_second'] / 1000:.1f}{failed}"
        panel.annotate(
            label,
            (row["fastest"] / 1000, position),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    panel.set_yticks(range(len(rows)), [row["title"] for row in rows])
    for label, row in zip(panel.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if row["kind"] == "ours" else "normal")
    panel.set_xlabel("thousand requests per second")
    panel.invert_yaxis()
    panel.margins(x=0.14)
    panel.spines[["top", "right"]].set_visible(False)


def _title(results: dict[str, Any]) -> str:
    return (
        f"One core, the same {results['body_bytes']:,}-byte answer from each: medians, and "
        f"whiskers from slowest to fastest round\n(rounds: {results['rounds']} of "
        f"{results['seconds']} s each, {results['machine']['date']})"
    )


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
