"""What is in compose.yaml, and how Compose writes it."""

import re
from typing import Any

Compose = dict[str, Any]

PROCESSES = ("todo-1", "todo-2")
SERVICES = (*PROCESSES, "nginx", "mongo", "redis")

_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds(duration: str) -> float:
    """Return a duration such as ``1m30s``."""
    parts = re.findall(r"([0-9.]+)(ms|h|m|s)", duration)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
