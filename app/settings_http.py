"""The settings of the HTTP server: what a client may send, and how long it may take over it."""

from dataclasses import dataclass

from app.settings_row import setting


@dataclass(frozen=True, kw_only=True)
class HttpSettings:
    """The part of `app.settings.Settings` that `app.httpserver.Options` is made from."""

    max_body_bytes: int = setting(
        65536,
        group="Limits",
        help="largest request body; a larger one gets 413",
        unit="bytes",
        minimum=1024,
        maximum=16_777_216,
        reason="A todo of 4096 characters takes at most 49,152 bytes when escaped.",
    )
    max_request_line_bytes: int = setting(
        8192,
        group="Limits",
        help="longest request line; a longer one gets 414",
        unit="bytes",
        minimum=1024,
        maximum=65536,
        reason="RFC 9112 asks for 8000 at least; a cursor takes about 100.",
    )
    max_header_bytes: int = setting(
        16384,
        group="Limits",
        help="largest header section; a larger one gets 431",
        unit="bytes",
        minimum=1024,
        maximum=1_048_576,
        reason="Room for long cookies; every connection can make the process hold this much.",
    )
    max_header_field_bytes: int = setting(
        8192,
        group="Limits",
        help="longest header field; a longer one gets 431",
        unit="bytes",
        minimum=1024,
        maximum=1_048_576,
        reason="Browsers keep a cookie below 4 KiB.",
    )
    max_header_fields: int = setting(
        100,
        group="Limits",
        help="most header fields; more get 431",
        unit="fields",
        minimum=10,
        maximum=1000,
        reason="Browsers send about 15, proxies add a few.",
    )
    max_pipelined_bytes: int = setting(
        65536,
        group="Limits",
        help="input that is held while a request is being answered; then reading stops",
        unit="bytes",
        minimum=1024,
        maximum=1_048_576,
        reason="Hundreds of pipelined requests; every connection can make the process hold it.",
    )
    backlog: int = setting(
        4096,
        group="Limits",
        help="connections that the kernel holds until they are accepted",
        unit="connections",
        minimum=1,
        maximum=65_535,
        reason="Linux's own limit (net.core.somaxconn); a burst waits there instead of failing.",
    )
    max_connections: int = setting(
        20_000,
        group="Limits",
        help="open connections; further ones wait in the kernel",
        unit="connections",
        minimum=1,
        maximum=1_000_000,
        reason="An idle one costs a few KiB; the limit of open files may hold it lower.",
    )
    min_body_rate: int = setting(
        1024,
        group="Limits",
        help="slowest that a request body may come after 5 seconds; slower gets 408",
        unit="bytes per second",
        minimum=0,
        maximum=1_048_576,
        reason="Any modem is faster; what is slower holds its connection on purpose.",
    )
    header_timeout_seconds: float = setting(
        10.0,
        group="Time limits",
        help="deadline for the head of a request from its first byte, and for a first request",
        unit="seconds",
        minimum=1.0,
        maximum=3600.0,
        reason="A head fits into one packet, as a rule.",
    )
    body_timeout_seconds: float = setting(
        30.0,
        group="Time limits",
        help="deadline for a request body to arrive",
        unit="seconds",
        minimum=1.0,
        maximum=3600.0,
        reason="A 64 KiB body takes less even at 20 kbit/s; a slower one holds its connection.",
    )
    idle_timeout_seconds: float = setting(
        75.0,
        group="Time limits",
        help="how long a connection stays open between requests",
        unit="seconds",
        minimum=1.0,
        maximum=3600.0,
        reason="Above the 60 s of nginx's upstream keepalive, so that nginx closes first.",
    )
    drain_idle_seconds: float = setting(
        0.0,
        group="Time limits",
        help="how long connections without a request stay open at shutdown",
        unit="seconds",
        minimum=0.0,
        maximum=3600.0,
        reason="Behind nginx more than its upstream keepalive: then it closes first, always.",
    )
    write_timeout_seconds: float = setting(
        30.0,
        group="Time limits",
        help="after this much time a slow reader must have taken 1 KiB a second, or is cut off",
        unit="seconds",
        minimum=1.0,
        maximum=3600.0,
        reason="What nobody reads is held in memory.",
    )
