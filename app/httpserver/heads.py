"""Remembers what heads mean: a client's next request is, byte for byte, often its last one."""

from app.httpserver.framing import RequestHead, understand
from app.httpserver.head import RawHead
from app.httpserver.options import Options


class Heads:
    """Understands heads, and knows those again that it has understood before.

    A head means the same whenever and by whomever it is sent, so this is no cache that could be
    stale. Refused heads are not remembered.
    """

    __slots__ = ("_options", "_ready_fields", "_remembered", "get")

    def __init__(self, options: Options, ready_fields: tuple[str, ...]) -> None:
        self._options = options
        self._ready_fields = ready_fields
        self._remembered: dict[bytes, RequestHead] = {}
        self.get = self._remembered.get
        """Return what the bytes of a whole head mean, or None if they are not remembered."""

    def understand(self, raw: RawHead, head: bytes) -> RequestHead:
        """Return what a head means.

        Args:
            raw: the head as `HeadReader` read it.
            head: its bytes, under which it is remembered.

        Raises:
            Refusal: see `framing.understand`.
        """
        understood = understand(raw, self._options, self._ready_fields)
        if len(head) <= self._options.remembered_head_bytes and not understood.has_body:
            # All at once: a list of the oldest would cost every request something.
            if len(self._remembered) >= self._options.remembered_heads:
                self._remembered.clear()
            if self._options.remembered_heads:
                self._remembered[head] = understood
        return understood
