"""The few things that Tornado looks up on a request's stream."""

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.httpserver.connection import Connection


class Peer:
    """Stands where Tornado expects an IOStream."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    @property
    def socket(self) -> "ssl.SSLObject | ssl.SSLSocket":
        """The TLS side of the connection, which knows the client's certificate.

        Raises:
            ssl.SSLError: it has none, so there is no certificate.
        """
        tls = self._connection.tls()
        if tls is None:
            raise ssl.SSLError("not a TLS connection")
        return tls

    def closed(self) -> bool:
        """Tell whether nothing can be written any more."""
        return self._connection.is_closing

    def set_nodelay(self, value: bool) -> None:
        """Do nothing: small packets are never held back."""

    def close(self) -> None:
        """Close the connection at once."""
        self._connection.abort()
