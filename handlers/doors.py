"""Who is let in without an account: judged by the head of a request alone, for both roads.

Two things open a service to others although it listens on loopback: a page in a browser on this
machine, and somebody's proxy before it.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from msgspec import Struct

from handlers.problems import RequestProblem

Get = Callable[[str], str | None]
"""Returns the value of a header field by its lower-case name, joined by commas where it is
repeated; None where there is none."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""RFC 9110, section 9.2.1. Nothing is changed by these, so forgery gains nothing: what they answer
is kept from foreign pages by the browser."""

LOOPBACK = "localhost"
"""Stands for every name of this machine's loopback interface."""

_OWN_SITES = frozenset({"same-origin", "none"})
"""Of Sec-Fetch-Site (W3C Fetch Metadata, section 2.4): a page of ours, or the person. What is not
known here is refused like cross-site."""

_PASSED_ON = ("forwarded", "via", "x-forwarded-for", "x-real-ip")
"""Fields that proxies add."""

_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*?)\.?(?::[0-9]*)?")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_REMEMBERED_HOSTS = 1024
"""Clients choose them; a service has a few."""


class Doors(Struct, frozen=True, kw_only=True):
    """What a request must look like to be served without an account."""

    closed_because: str = ""
    """Why nobody is let in; empty where somebody is."""

    is_local: bool = True
    """Only who is on this machine is let in."""

    hosts: frozenset[str] | None = frozenset({LOOPBACK})
    """The names in Host that are ours (see `name_of`); None takes any.

    A page of a foreign name whose address is changed to 127.0.0.1 while it is shown (DNS rebinding)
    can read all that this machine serves, and only its Host tells.
    """

    def judge(self, method: str, get: Get, scheme: str | None) -> RequestProblem | None:
        """Return why a request is refused, None where it is let in.

        Args:
            method: of the request.
            get: its header fields.
            scheme: http or https, by which the client has come. None, where it is not known: then
                an Origin that has to be compared is refused.
        """
        return self._judge_way(get) or (
            None if method in SAFE_METHODS else _judge_origin(get, scheme)
        )

    def _judge_way(self, get: Get) -> RequestProblem | None:
        if self.closed_because:
            return RequestProblem(
                "local-only",
                f"Nobody is served: {self.closed_because}, and there are no accounts yet. "
                f"anonymous = write serves whoever comes.",
            )
        host = get("host")
        # Without one (HTTP/1.0) no page can have sent it.
        if host and self.hosts is not None and name_of(host) not in self.hosts:
            return RequestProblem(
                "local-only",
                "The Host is no name of this service: ask for localhost or 127.0.0.1, "
                "or add the name to the setting hosts.",
            )
        if self.is_local:
            for field in _PASSED_ON:
                if get(field) is not None:
                    return RequestProblem(
                        "local-only",
                        f"A proxy has passed this request on ({field.title()}), and only this "
                        f"machine is served. anonymous = write serves whoever reaches the proxy.",
                    )
        return None


def _judge_origin(get: Get, scheme: str | None) -> RequestProblem | None:
    """Return why a change is refused: a foreign page wants it (cross-site request forgery)."""
    site = get("sec-fetch-site")
    if site is not None:
        field, is_ours = "Sec-Fetch-Site", site in _OWN_SITES
    else:  # Not sent over plain HTTP, but to loopback, and not by old browsers.
        origin = get("origin")
        field, is_ours = "Origin", origin is None or _is_own(origin, get("host"), scheme)
    if is_ours:
        return None
    return RequestProblem(
        "cross-origin",
        f"A page of another origin has sent this, says {field}. Only pages of this service's own "
        f"origin may change todos; a proxy before it must pass Host on as it came.",
    )


def _is_own(origin: str, host: str | None, scheme: str | None) -> bool:
    """Tell whether an Origin (RFC 6454, section 7) is the one that was asked."""
    if not host or scheme not in _DEFAULT_PORTS:
        return False
    own = host.lower().removesuffix(":").removesuffix(_DEFAULT_PORTS[scheme])
    return origin.lower().removesuffix(_DEFAULT_PORTS[scheme]) == f"{scheme}://{own}"


@lru_cache(maxsize=_REMEMBERED_HOSTS)
def name_of(host: str) -> str:
    """Return the name in a Host, in lower case and without port, brackets and last dot.

    It is `LOOPBACK` for all that cannot be anything else: localhost, names below it (RFC 6761,
    section 6.3), 127.0.0.0/8 and ::1.
    """
    found = _AUTHORITY.fullmatch(host.lower())
    name = host if found is None else found[1].strip("[]")
    return LOOPBACK if name.endswith(f".{LOOPBACK}") or _is_loopback(name) else name


def _is_loopback(name: str) -> bool:
    try:
        address = ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def names_of(hosts: Iterable[str]) -> frozenset[str]:
    """Return the names of `Doors.hosts`, those of loopback among them."""
    return frozenset({LOOPBACK, *map(name_of, hosts)})
