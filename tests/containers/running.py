"""Programs as processes."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

Run = Callable[..., subprocess.CompletedProcess[str]]
"""Runs a program with these arguments to its end."""


@dataclass(frozen=True)
class Running:
    """The installed service; it answers on a port of 127.0.0.1."""

    process: subprocess.Popen[str]
    port: int
