"""Where this program is installed, and how it was called."""

import sys
from pathlib import Path

RELEASE = Path(__file__).parents[1]
"""The folder that app/ lies in."""

IS_CLONE = (RELEASE / "run.py").is_file()
"""It runs from a clone or an unpacked release; otherwise from what a wheel has installed."""

CONF = RELEASE / ("conf" if IS_CLONE else "app/conf")
"""The files that a node is laid out from. A wheel has them inside, by the link app/conf."""


def _name() -> str:
    path = Path(sys.argv[0])
    if path.parts[-2:] == ("app", "__main__.py"):
        return "python -m app"
    return path.name if path.name == "tornado-todo" else "run.py"


NAME = _name()
"""What a person types for this program: run.py, tornado-todo or python -m app."""
