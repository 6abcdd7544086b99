"""Draws the figure of ``benchmarks.cache_ladder``; run by it, in the peers' environment.

``python -m benchmarks.cache_ladder_chart FILE.json`` writes ``FILE.png`` and ``FILE.svg`` beside
it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

from benchmarks.http_chart import COLOURS

_HEIGHT = 0.38


def draw(path: Path) -> None:
    """Draw two bars for each step: the article's and ours."""
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    steps: list[dict[str, Any]] = results["results"]
    # The same figures shall make the same file: element ids come from here, not from chance.
    mpl.rcParams.update({"svg.hashsalt": "ladder", "svg.fonttype": "none", "font.size": 10})
    figure, panel = plt.subplots(figsize=(9, 1.6 + 0.8 * len(steps)), layout="constrained")
    bars = (
        ("the article", COLOURS["python"], -_HEIGHT / 2, [step["article"][-1] for step in steps]),
        ("ours", COLOURS["ours"], _HEIGHT / 2, [step["middle"] for step in steps]),
    )
    for label, colour, offset, rates in bars:
        places = [number + offset for number in range(len(steps))]
        drawn = panel.barh(places, rates, _HEIGHT, color=colour, label=label)
        panel.bar_label(drawn, [f"{rate:,.0f}" for rate in rates], padding=4)
    panel.set_yticks(range(len(steps)), [step["title"] for step in steps])
    panel.invert_yaxis()
    panel.set_xscale("log")
    panel.set_xlim(left=1)
    panel.set_xlabel("requests per second (logarithmic), more is better")
    panel.margins(x=0.12)
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_title(
        f"The article's steps, one after the other; machines differ ({results['machine']['date']})",
        loc="left",
        fontsize=11,
    )
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path.with_suffix(".png"), dpi=150)
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
