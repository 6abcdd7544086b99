"""The limits of a server, each with its unit and reason."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""The methods of RFC 9110 and RFC 5789 that act on a resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a `Server` reads requests and how long it waits. Sizes are bytes, times are seconds."""

    methods: frozenset[str] = METHODS
    """Methods that reach the application; another one gets 501, CONNECT and TRACE get 405."""

    scheme: str | None = None
    """What the application takes for the scheme: http or https; None goes by whether the server
    speaks TLS itself. For one behind a proxy that does and says nothing about it."""

    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Peers whose X-Forwarded-For and X-Forwarded-Proto are believed. Nobody's, by default: any
    client can send these fields."""

    trust_unix_peers: bool = False
    """Believe these fields on Unix sockets, where the file's permissions say who may connect."""

    max_request_line_bytes: int = 8192
    """Longest request line; a longer one gets 414. RFC 9112, section 3 asks for 8000 at least."""

    max_field_bytes: int = 8192
    """Longest header field line; a longer one gets 431. Browsers keep a cookie below 4 KiB."""

    max_fields: int = 100
    """Most header fields; more get 431. Browsers send about 15, proxies add a few."""

    max_fields_bytes: int = 16384
    """Largest header section, line ends included; a larger one gets 431. Each connection can make
    us hold this much."""

    max_body_bytes: int = 1_048_576
    """Largest body; a larger one gets 413 before it is read. A handler may set its own with
    ``self.request.connection.set_max_body_size``."""

    max_unread_bytes: int = 65536
    """Most of a body that may be left when its answer begins, if the connection is to go on: it is
    read and dropped, in the time that a body may take. With more of it to come, or with chunks,
    whose number nobody knows, the answer says ``Connection: close``."""

    ready_body_bytes: int = 0
    """Largest body of a POST that the ready function is asked about, if the body came with the
    head; 0 asks about none. It is held while the answer is waited for."""

    max_trailers: int = 16
    """Most trailer fields of a chunked body; more get 431. They are read and dropped."""

    max_trailers_bytes: int = 4096
    """Largest trailer section; a larger one gets 431."""

    chunk_bytes: int = 65536
    """Most of a body that is handed to the application at once; as Tornado does."""

    max_held_bytes: int = 65536
    """Input that is held while a request is being answered; then reading stops until it is."""

    write_buffer_bytes: int = 65536
    """Unsent output at which the application is asked to wait (the futures of its writes)."""

    head_seconds: float = 10.0
    """From the first byte of a head to its last; then 408. It fits one packet, as a rule."""

    body_seconds: float = 30.0
    """For a whole body; then 408. A handler may set its own with
    ``self.request.connection.set_body_timeout``."""

    body_grace_seconds: float = 5.0
    """After this much time `min_body_rate` must be met: TCP starts slowly."""

    min_body_rate: int = 1024
    """Bytes per second that a body must arrive with; slower gets 408. A modem does 5000."""

    idle_seconds: float = 75.0
    """Between requests; above the 60 s of nginx's upstream keepalive, so that nginx closes first
    and never sends a request into a connection that is being closed."""

    write_seconds: float = 30.0
    """After this much time a slow reader must have met `min_write_rate`, or is cut off."""

    min_write_rate: int = 1024
    """Bytes per second that a slow reader must take; a modem does 5000."""

    linger_seconds: float = 1.0
    """How long a connection is still read after its last answer has been sent, so that the client
    gets that and not a reset (RFC 9112, section 9.6); up to five times as long, for it is looked
    at only so often."""

    linger_bytes: int = 1_048_576
    """How much is read and dropped in that time."""

    backlog: int = 4096
    """Connections that the kernel may hold until they are accepted, of sockets that `Server.listen`
    makes; net.core.somaxconn may hold it lower."""

    max_connections: int = 20_000
    """Open connections, detached ones left out; above it new ones wait in the kernel's backlog.
    Each needs a file descriptor."""

    remembered_heads: int = 1024
    """Heads whose reading is remembered; clients repeat themselves. 0 remembers none."""

    remembered_head_bytes: int = 1024
    """Largest head that is remembered: with the number above, 18 MiB at worst."""
