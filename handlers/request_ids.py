"""Request ids: the client's if it is fit for logs and headers, or one of ours."""

import re
import secrets
from collections.abc import Iterator
from itertools import chain, count, islice, repeat
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
    return request_ids(given, 1)[0].decode()


def request_ids(given: str | None, requests: int) -> list[bytes]:
    """Return the ids of as many requests that all have this value."""
    if given is not None and _FIT.fullmatch(given) is not None:
        return [given.encode()] * requests
    return list(islice(_ids, requests))
