"""Remembers what heads mean: a client's next request is, byte for byte, often its last one."""

import re
from dataclasses import replace

from tornado.httputil import RequestStartLine

from app.httpserver.framing import MayBeReady, RequestHead, forwarded_of, understand
from app.httpserver.head import HeadReader, RawHead, read_whole
from app.httpserver.options import Options
from app.httpserver.refusal import Refusal

_END = b"\r\n\r\n"


class Heads:
    """Understands heads, and knows those again that it has understood before.

    A head means the same whenever and by whomever it is sent, so this is no cache that could be
    stale. Refused heads are not remembered. Those that differ in the field that is each request's
    own, as a request id behind a proxy, are one.
    """

    __slots__ = (
        "_may_be_ready", "_most_bytes", "_own_field", "_own_line", "_ready_fields", "_remembered",
        "get", "options",
    )  # fmt: skip

    def __init__(
        self,
        options: Options,
        ready_fields: tuple[str, ...],
        may_be_ready: MayBeReady | None = None,
        own_field: str = "",
    ) -> None:
        self.options = options
        self._may_be_ready = may_be_ready
        self._ready_fields = ready_fields
        self._own_field = own_field
        # Simple values alone. The line end before it makes sure that it is a line of its own.
        name = re.escape(own_field.encode())
        self._own_line = re.compile(rb"\r\n%b:[ \t]*([!-~]+)(?=\r\n)" % name, re.IGNORECASE)
        self._most_bytes = min(
            options.remembered_head_bytes,
            options.max_request_line_bytes,
            options.max_field_bytes,
            options.max_fields_bytes,
        )
        self._remembered: dict[bytes, RequestHead] = {}
        self.get = self._remembered.get
        """Return what the bytes of a whole head mean, or None if they are not remembered."""

    def read(self, head: bytes) -> tuple[RequestHead, str | None] | None:
        """Return what a whole head means and what is its own, None if it takes a `HeadReader`.

        Raises:
            Refusal: see `framing.understand`.
        """
        if (understood := self.get(head)) is not None:
            return understood, None
        may_be_remembered = len(head) <= self._most_bytes
        line = self._own_line.search(head) if may_be_remembered and self._own_field else None
        alike, own = head, None
        if line is not None:
            alike, own = head[: line.start()] + head[line.end() :], line[1].decode()
            understood = self.get(alike)
            if understood is not None and len(understood.fields) < self.options.max_fields:
                return understood, own
        raw = read_whole(head, self.options)
        if raw is None:
            return None
        understood = self.understand(raw)
        if understood.own != own:  # It is repeated, or has a value that is not as simple.
            return understood, understood.own
        if own is not None:
            sent = understood.fields  # With the Host of the target, say.
            fields = tuple(entry for entry in sent if entry[0].lower() != self._own_field)
            understood = replace(understood, fields=fields, own=None)
        if may_be_remembered:
            self._remember(alike, understood)
        return understood, own

    def understand(self, raw: RawHead) -> RequestHead:
        """Return what a head means; see `framing.understand`."""
        try:
            return understand(
                raw, self.options, self._ready_fields, self._may_be_ready, self._own_field
            )
        except Refusal as refusal:
            refusal.start_line = RequestStartLine(raw.method, raw.target, raw.version)
            refusal.request_fields = raw.fields
            refusal.forwarded = forwarded_of(raw.fields)
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

    def take(self, held: bytearray) -> tuple[RequestHead, str | None] | None:
        """Return the next head and delete it from ``held``, or None while it is incomplete.

        With it comes the value of the field that is the request's own, if there is one.

        Raises:
            Refusal: see `HeadReader.read` and `framing.understand`.
        """
        if self._reader is None:
            end = held.find(_END) + len(_END)
            known = self._heads.read(bytes(held[:end])) if end >= len(_END) else None
            if known is not None:
                del held[:end]
                return known
            self._reader = HeadReader(self._heads.options)
        try:
            found = self._reader.read(held)
        except Refusal as refusal:
            self.describe(refusal, held)
            raise
        if found is None:
            return None
        raw, length = found
        self._reader = None
        del held[:length]
        head = self._heads.understand(raw)
        return head, head.own

    def describe(self, refusal: Refusal, held: bytearray) -> None:
        """Let the refusal of a head that is not whole say what was asked, as far as it came in."""
        if self._reader is not None:
            refusal.start_line = self._reader.start_line
            refusal.request_fields = (*self._reader.fields, *self._reader.fields_behind(held))
