"""Puts the core where Tornado's own tests expect Tornado's server.

For ``python -m tornado.test.runtests --httpserver=tests.server.tornado_adapter.CoreHTTPServer``.
"""

import re
import socket
import ssl
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from tornado.http1connection import _GzipMessageDelegate
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.log import gen_log
from tornado.netutil import ssl_options_to_context

from app.httpserver import (
    METHODS,
    Answer,
    Context,
    Options,
    Refusal,
    Server,
    plain_refusal,
)

TORNADO_SAYS = {
    "The request line is malformed.": "Malformed HTTP request line",
    "A header field is malformed.": "no colon in header line",
    "The Host is malformed.": "Invalid Host header",
    "The size of a chunk is malformed.": "invalid chunk size",
    "The only transfer coding known here is chunked.": (
        "Unsupported Transfer-Encoding gzip, chunked"
    ),
    "A request has one length: Content-Length or Transfer-Encoding.": (
        "Message with both Transfer-Encoding and Content-Length, "
        "or Unsupported Transfer-Encoding chunked,chunked"
    ),
    "The Content-Length is malformed.": (
        "Only integer Content-Length is allowed, or Multiple unequal Content-Lengths"
    ),
    "The request is malformed.": "invalid gzip data, or decompressed body too large",
    "The body has more than N bytes.": "Content-Length too long, or chunked body too large",
    "The body is late.": "Timeout reading body",
}
"""Tornado's tests look for its sentences in the log, so they are given what ours mean."""

_TEST_CLIENT = "127.0.0.1"


class CoreHTTPServer(HTTPServer):
    """Takes Tornado's arguments; of Tornado's server only the wrapping of callables is left."""

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        super().initialize(*args, **kwargs)
        params = self.conn_params
        options = Options(
            methods=METHODS | {"OTHER", "FOO"},  # The test applications' own.
            max_body_bytes=100 * 1024 * 1024,  # Tornado's default.
            scheme=self.protocol,
        )
        if kwargs.get("max_header_size"):
            options = replace(options, max_fields_bytes=kwargs["max_header_size"])
        if kwargs.get("max_body_size"):
            options = replace(options, max_body_bytes=kwargs["max_body_size"])
        if kwargs.get("chunk_size"):
            options = replace(options, chunk_bytes=params.chunk_size)
        if params.body_timeout:
            options = replace(options, body_seconds=params.body_timeout)
        if kwargs.get("idle_connection_timeout"):
            seconds = kwargs["idle_connection_timeout"]
            options = replace(options, idle_seconds=seconds, head_seconds=seconds)
        if self.xheaders:
            trusted = [_TEST_CLIENT, *(self.trusted_downstream or ())]
            options = replace(options, trusted_proxies=tuple(map(ip_network, trusted)))
            self.xheaders = False  # Else Tornado would believe them once more.
        self._options = options
        self._core: Server | None = None

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        if self._core is None:
            tls = self.ssl_options
            if tls is not None and not isinstance(tls, ssl.SSLContext):
                tls = ssl_options_to_context(tls, server_side=True)
            self._core = Server(self, options=self._options, ssl_options=tls, refuse=_refuse)
        self._core.add_sockets(sockets)

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        delegate = super().start_request(server_conn, request_conn)
        if self.conn_params.decompress:
            # Tornado's own, which wraps any delegate; the core itself decompresses nothing.
            delegate = _GzipMessageDelegate(
                delegate, self.conn_params.chunk_size, self._options.max_body_bytes
            )
        return delegate

    def stop(self) -> None:
        if self._core is not None:
            self._core.stop()

    async def close_all_connections(self) -> None:
        if self._core is not None:
            await self._core.close_all_connections()

    def on_close(self, server_conn: object) -> None:
        """Tornado's server keeps no book of our connections."""


def _refuse(refusal: Refusal, context: Context) -> Answer:
    reason = re.sub("[0-9]+ bytes", "N bytes", refusal.reason)
    if reason in TORNADO_SAYS:
        said = TORNADO_SAYS[reason]
        gen_log.info("Malformed HTTP message from %s: %s", context, said)
    return plain_refusal(refusal, context)
