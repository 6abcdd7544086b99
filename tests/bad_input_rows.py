"""What a row of the table of bad inputs is, and the bytes that rows are made of."""

from dataclasses import dataclass

SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"
"""Follows every input that must be refused; it must never run."""

GOOD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GOOD_RAN = "GET /"


@dataclass(frozen=True)
class Row:
    """An input and what must come of it.

    Attributes:
        name: the number of the row in the table, and what the input is.
        data: what is sent.
        answers: for each answer, in order, the statuses it may have.
        ran: which handlers must have run, see `echo_application.Ran`.
        is_closed: the server must close the connection after the last answer.
        then_eof: the client closes its side after the input.
        most_continues: how many 100 (Continue) there may be before the answer.
        good_bytes: of a good request in front of the input.
    """

    name: str
    data: bytes
    answers: tuple[tuple[int, ...], ...]
    ran: tuple[str, ...] = ()
    is_closed: bool = False
    then_eof: bool = False
    most_continues: int = 0
    good_bytes: int = 0


def refused(name: str, data: bytes, *statuses: int) -> Row:
    """Return a row of which nothing may run; without ``statuses`` it gets 400."""
    return Row(name, data + SMUGGLED, (statuses or (400,),), is_closed=True)


def head(line: str, *fields: str) -> bytes:
    """Return a head with exactly these lines; characters are bytes."""
    return "".join(f"{text}\r\n" for text in (line, *fields, "")).encode("latin-1")


def get(*fields: str, target: str = "/", version: str = "HTTP/1.1") -> bytes:
    """Return a GET with a good Host before other fields."""
    return head(f"GET {target} {version}", "Host: a", *fields)


def post(*fields: str, body: bytes = b"", path: str = "/echo", version: str = "HTTP/1.1") -> bytes:
    """Return a POST with a good Host before other fields, and whatever follows it."""
    return head(f"POST {path} {version}", "Host: a", *fields) + body


def chunked(body: bytes) -> bytes:
    """Return a POST whose chunked body is given as it is sent."""
    return post("Transfer-Encoding: chunked", body=body)
