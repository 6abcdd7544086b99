"""Request ids: the client's if it is fit for logs and headers, or one of ours."""

import re
import secrets
from collections.abc import Iterable, Iterator
from itertools import chain, count, repeat
from operator import add

_FIT = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def _new_ids() -> Iterator[Iterator[bytes]]:
    # A random number for each would be a system call for each; nobody need be kept from guessing.
    process = secrets.token_hex(4).encode()
    last_digits = [b"%02x" % number for number in range(256)]
    for number in count():
        # PERF: a number is formatted for 256 ids at once, and the rest runs no Python code.
        yield map(add, repeat(b"%b%06x" % (process, number)), last_digits)


_ids = chain.from_iterable(_new_ids())


def request_id(given: str | None) -> str:
    """Return the id of a request whose X-Request-Id field has this value."""
    return request_ids([given])[0].decode()


def request_ids(given: Iterable[str | None]) -> list[bytes]:
    """Return the ids of requests whose X-Request-Id fields have these values."""
    return [
        next(_ids) if own is None or _FIT.fullmatch(own) is None else own.encode() for own in given
    ]
