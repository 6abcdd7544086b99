"""Reads a request's body off the input, and knows when it comes too slowly. No I/O."""

from math import inf

from app.httpserver.chunked import ChunkedDecoder
from app.httpserver.framing import RequestHead
from app.httpserver.options import Options
from app.httpserver.refusal import content_too_large


class BodyReader:
    """The body of one request.

    Attributes:
        is_complete: its last byte has been taken.
    """

    __slots__ = (
        "_chunks", "_left", "_max_bytes", "_options", "_seconds", "_since", "_taken",
        "is_complete",
    )  # fmt: skip

    def __init__(
        self, head: RequestHead, options: Options, *, max_bytes: int, seconds: float, now: float
    ) -> None:
        """Begin to wait for a body.

        Args:
            head: says how long it is.
            options: the limits of all bodies.
            max_bytes: the limit of this one.
            seconds: in which it must be complete.
            now: the time, in seconds of any scale.

        Raises:
            Refusal: it is announced to be longer than its limit (413).
        """
        if head.content_length > max_bytes:
            raise content_too_large(max_bytes)
        self._options = options
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._since = now
        self._taken = 0
        self._left = head.content_length
        self._chunks = ChunkedDecoder(options) if head.is_chunked else None
        self.is_complete = not head.has_body

    def take(self, held: bytearray) -> bytes:
        """Take the next part off the front of ``held``; empty when more input is needed.

        Raises:
            Refusal: see `ChunkedDecoder.decode`.
        """
        at_most = self._options.chunk_bytes
        if self._chunks is not None:
            data = self._chunks.decode(held, at_most=at_most, max_body_bytes=self._max_bytes)
            self.is_complete = self._chunks.is_complete
        else:
            data = bytes(held[: min(self._left, at_most)])
            del held[: len(data)]
            self._left -= len(data)
            self.is_complete = not self._left
        self._taken += len(data)
        return data

    @property
    def left(self) -> float:
        """Bytes of an incomplete body that are still to come; inf where its chunks will tell."""
        return self._left if self._chunks is None else inf

    def excuse(self, seconds: float) -> None:
        """Leave out of account a time in which the application did not take what was there."""
        self._since += seconds

    def is_late(self, now: float) -> bool:
        """Tell whether it takes too long as a whole, or comes below the least rate."""
        elapsed = now - self._since
        due = (elapsed - self._options.body_grace_seconds) * self._options.min_body_rate
        return elapsed >= self._seconds or self._taken < due

    def next_check(self, now: float) -> float:
        """Return when to ask `is_late` again."""
        grace_ends = self._since + self._options.body_grace_seconds
        return min(self._since + self._seconds, grace_ends if now < grace_ends else now + 1.0)
