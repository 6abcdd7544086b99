"""Reads the host and the target of a request (RFC 9112, section 3.2). No I/O."""

import re
from ipaddress import IPv6Address

from app.httpserver.refusal import bad_request

# RFC 3986, section 3.2.2, but for ",", which would hide a second Host behind a proxy. "@", "/" and
# "?" are outside of that grammar (Starlette, CVE-2026-48710). DNS names have 253 characters at most
# (RFC 1035, section 2.3.4), a port five digits.
_HOST = re.compile(
    r"(?:(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2}){0,255}|\[([0-9A-Fa-f:.]{2,45})\])"
    r"(?::[0-9]{0,5})?"
)

# RFC 9112, section 3.2.2.
_ABSOLUTE_FORM = re.compile(r"(https?)://([^/?#]*)(/[^#]*|\?[^#]*|)", re.IGNORECASE)
_DEFAULT_PORT = {"http": re.compile(r":(?:80)?\Z"), "https": re.compile(r":(?:443)?\Z")}


def read_host(version: str, host: str | None) -> str | None:
    """Return the value of Host, None where HTTP/1.0 has none.

    Raises:
        Refusal: it is malformed or missing (400).
    """
    # RFC 9112, section 3.2: there must be one in HTTP/1.1.
    if host is None and version == "HTTP/1.1":
        raise bad_request("A request has exactly one Host.")
    if host is not None and not _is_host(host):
        raise bad_request("The Host is malformed.")
    return host


def _is_host(text: str) -> bool:
    found = _HOST.fullmatch(text)
    return found is not None and (not found[1] or _is_ipv6(found[1]))


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def read_target(method: str, target: str, host: str | None) -> tuple[str | None, str]:
    """Return the authority of a target that is no path, and its path and query or ``*``.

    Raises:
        Refusal: it is malformed, or names another host than ``host`` (400).
    """
    if target == "*" and method == "OPTIONS":
        return None, target
    absolute = _ABSOLUTE_FORM.fullmatch(target)
    if absolute is None:
        raise bad_request("The request target is malformed.")
    scheme, authority, path = absolute.groups()
    port = _DEFAULT_PORT[scheme.lower()]
    # RFC 9110, sections 4.2.1 and 4.2.4: there is a name, and there is no user.
    if not port.sub("", authority) or not _is_host(authority):
        raise bad_request("The request target is malformed.")
    # RFC 9112, section 3.2.2 lets the target's authority win; a proxy may have gone by Host.
    if host is not None and _same(authority, port) != _same(host, port):
        raise bad_request("The request target and the Host name different hosts.")
    if not path and method == "OPTIONS":  # RFC 9112, section 3.2.4.
        return authority, "*"
    return authority, path if path.startswith("/") else f"/{path}"


def _same(host: str, default_port: re.Pattern[str]) -> str:
    """Return what all ways to write a host have in common (RFC 9110, section 4.2.3)."""
    return default_port.sub("", host.lower())
