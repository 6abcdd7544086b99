"""Hosts in the eyes of the fuzzer's rules; written anew, so that it shares no error with ours."""

import re
from ipaddress import IPv6Address
from string import ascii_letters, digits

_NAME_CHARACTERS = frozenset(f"{ascii_letters}{digits}-._~!$&'()*+;=")


def names_host(absolute: re.Match[bytes], hosts: list[bytes]) -> bool:
    """Tell whether a target in absolute form names the host of the Host fields, if any."""
    port = b"443" if absolute[0][:5].lower() == b"https" else b"80"
    names = [
        name.lower().removesuffix(b":" + port).removesuffix(b":")
        for name in (absolute[1], *hosts[:1])
    ]
    return names[0] != b"" and len(set(names)) == 1 and is_host(absolute[1].decode("latin-1"))


def is_host(text: str) -> bool:
    """Tell whether a text is a host by RFC 3986, 3.2.2, without a comma."""
    name, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        name, port = text, ""
    if len(port) > 5 or not all(character in digits for character in port):
        return False
    if name.startswith("["):
        try:
            IPv6Address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return name.endswith("]") and "%" not in name
    encoded = len(re.findall("%[0-9A-Fa-f]{2}", name))
    plain = re.sub("%[0-9A-Fa-f]{2}", "", name)
    return len(plain) + encoded <= 255 and _NAME_CHARACTERS.issuperset(plain)
