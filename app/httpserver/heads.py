"""Remembers what heads mean: a client's next request is, byte for byte, often its last one."""

from tornado.httputil import RequestStartLine

from app.httpserver.framing import MayBeReady, RequestHead, understand
from app.httpserver.head import HeadReader, RawHead, read_whole
from app.httpserver.options import Options
from app.httpserver.refusal import Refusal

_END = b"\r\n\r\n"


class Heads:
    """Understands heads, and knows those again that it has understood before.

    A head means the same whenever and by whomever it is sent, so this is no cache that could be
    stale. Refused heads are not remembered.
    """

    __slots__ = ("_may_be_ready", "_ready_fields", "_remembered", "get", "options")

    def __init__(
        self,
        options: Options,
        ready_fields: tuple[str, ...],
        may_be_ready: MayBeReady | None = None,
    ) -> None:
        self.options = options
        self._may_be_ready = may_be_ready
        self._ready_fields = ready_fields
        self._remembered: dict[bytes, RequestHead] = {}
        self.get = self._remembered.get
        """Return what the bytes of a whole head mean, or None if they are not remembered."""

    def read(self, head: bytes) -> RequestHead | None:
        """Return what a whole head means, or None if it takes a `HeadReader` to tell.

        Raises:
            Refusal: see `framing.understand`.
        """
        understood = self.get(head)
        if understood is None:
            raw = read_whole(head, self.options)
            if raw is None:
                return None
            understood = self.understand(raw)
            if len(head) <= self.options.remembered_head_bytes:
                self._remember(head, understood)
        return understood

    def understand(self, raw: RawHead) -> RequestHead:
        """Return what a head means; see `framing.understand`."""
        try:
            return understand(raw, self.options, self._ready_fields, self._may_be_ready)
        except Refusal as refusal:
            refusal.start_line = RequestStartLine(raw.method, raw.target, raw.version)
            raise

    def _remember(self, head: bytes, understood: RequestHead) -> None:
        # All at once: a list of the oldest would cost every request something.
        if len(self._remembered) >= self.options.remembered_heads:
            self._remembered.clear()
        if self.options.remembered_heads:
            self._remembered[head] = understood


class HeadInput:
    """Takes one head after the other off the front of a connection's input."""

    __slots__ = ("_heads", "_reader")

    def __init__(self, heads: Heads) -> None:
        self._heads = heads
        self._reader: HeadReader | None = None

    @property
    def is_partial(self) -> bool:
        """A part of a head has come in."""
        return self._reader is not None

    def take(self, held: bytearray) -> RequestHead | None:
        """Return the next head and delete it from ``held``, or None while it is incomplete.

        Raises:
            Refusal: see `HeadReader.read` and `framing.understand`.
        """
        if self._reader is None:
            end = held.find(_END) + len(_END)
            head = self._heads.read(bytes(held[:end])) if end >= len(_END) else None
            if head is not None:
                del held[:end]
                return head
            self._reader = HeadReader(self._heads.options)
        try:
            found = self._reader.read(held)
        except Refusal as refusal:
            refusal.start_line = self._reader.start_line
            raise
        if found is None:
            return None
        raw, length = found
        self._reader = None
        del held[:length]
        return self._heads.understand(raw)
