"""Who is at the other end: the address and scheme of a request, through trusted proxies too."""

import re
import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from app.httpserver.head import Forwarded
from app.httpserver.options import Options

Networks = tuple[IPv4Network | IPv6Network, ...]

_REMEMBERED_CLIENTS = 1024
"""PERF: what proxies say of clients comes again (docs/decisions/0005)."""

# Some proxies write a port (RFC 7239, section 6, has it so), and brackets around IPv6.
_CLAIMED = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?")

_UNKNOWN_IP = "0.0.0.0"  # noqa: S104 - what Tornado gives for a Unix socket, not an address to bind.


class Context:
    """Where a request came from; Tornado reads ``remote_ip`` and ``protocol`` off it.

    Attributes:
        remote_ip: the client's IP address, ``0.0.0.0`` for a Unix socket.
        protocol: http or https.
    """

    __slots__ = ("protocol", "remote_ip")

    def __init__(self, remote_ip: str, protocol: str) -> None:
        self.remote_ip = remote_ip
        self.protocol = protocol

    def __str__(self) -> str:
        return self.remote_ip


def peer_context(family: int, address: Any, scheme: str) -> Context:
    """Return the context of a connection as the kernel tells it."""
    is_ip = family in (socket.AF_INET, socket.AF_INET6)
    return Context(address[0] if is_ip else _UNKNOWN_IP, scheme)


def is_trusted(context: Context, family: int, options: Options) -> bool:
    """Tell whether a peer's word about its client is believed."""
    if family == socket.AF_UNIX:
        return options.trust_unix_peers
    address = _address(context.remote_ip)
    return address is not None and _is_proxy(address, options.trusted_proxies)


def forwarded_context(peer: Context, forwarded: Forwarded, options: Options) -> Context:
    """Return what a trusted proxy says about its client."""
    addresses, schemes = forwarded
    remote_ip = None if addresses is None else _client(addresses, options.trusted_proxies)
    scheme = "" if schemes is None else schemes.rpartition(",")[2].strip(" \t").lower()
    return Context(
        remote_ip or peer.remote_ip, scheme if scheme in ("http", "https") else peer.protocol
    )


@lru_cache(maxsize=_REMEMBERED_CLIENTS)
def _client(addresses: str, proxies: Networks) -> str | None:
    """Return the client's address in X-Forwarded-For, None where it has none.

    It is read from its end, where our own proxies have added to it: the first address that is none
    of theirs is the client's. What stands before it is the client's own claim.
    """
    remote_ip = None
    for claimed in reversed(addresses.split(",")):
        address = _claimed_address(claimed.strip(" \t"))
        if address is None:
            break
        remote_ip = str(address)
        if not _is_proxy(address, proxies):
            break
    else:
        remote_ip = None
    return remote_ip


def _claimed_address(text: str) -> IPv4Address | IPv6Address | None:
    found = _CLAIMED.fullmatch(text)
    # A zone (RFC 4007, section 11) says nothing here, and may be any text of any length.
    return None if "%" in text else _address(text if found is None else found[1] or found[2])


def _is_proxy(address: IPv4Address | IPv6Address, proxies: Networks) -> bool:
    return any(address in network for network in proxies)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # What comes over IPv4 to a socket of both families is called ::ffff:127.0.0.1, say.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
