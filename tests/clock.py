"""A clock for tests."""

from dataclasses import dataclass


@dataclass
class Clock:
    """Seconds since the epoch that only a test moves."""

    now: float = 1_700_000_000.25

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def advance(self, seconds: float) -> float:
        """Move the time and return it."""
        self.now += seconds
        return self.now
