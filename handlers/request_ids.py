"""Request ids: the client's if it is fit for logs and headers, or one of ours."""

import re
import secrets
from itertools import count

_FIT = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")

# A random number for each would be a system call for each; nobody need be kept from guessing one.
_PROCESS = secrets.token_hex(4)
_numbers = count(1)


def request_id(given: str | None) -> str:
    """Return the id of a request whose X-Request-Id field has this value."""
    if given is not None and _FIT.fullmatch(given) is not None:
        return given
    return f"{_PROCESS}{next(_numbers):08x}"
