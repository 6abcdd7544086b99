"""What an owner's todos come to."""

from msgspec import Struct


class Statistics(Struct, frozen=True, kw_only=True):
    """Counts of an owner's todos, and the times (epoch seconds) between which they were made.

    The times are None where there are no todos.
    """

    open: int
    finished: int
    oldest: float | None
    newest: float | None

    @property
    def total(self) -> int:
        """All of them."""
        return self.open + self.finished
