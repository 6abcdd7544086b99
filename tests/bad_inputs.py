"""The table of bad inputs as data, and what is wrong with the way a server takes one.

The rows are numbered as in the table; those about time, resets and slow readers need more than
bytes and are tests of their own. Everything here compares without ``assert``, so that it means the
same under ``python -O``.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

import bad_bodies
import bad_heads
import odd_requests
from bad_input_rows import GOOD, GOOD_RAN, SMUGGLED, Row
from echo_application import Ran
from raw_http import RawAnswer, read_answers, send
from recording_transport import RecordingTransport

from app.httpserver import Server

ROWS = (*bad_heads.ROWS, *bad_bodies.ROWS, *odd_requests.ROWS)

_EVERY_POINT = 200
_LIMITS = (1024, 4096, 8192, 16384)
_AROUND = 40
_LAST = 80
"""Two-part splits: every point of the first bytes and of the last, and those around limits."""

_LONG_BYTES = 5000
_LONG_STEP = 9
_VERY_LAST = 4
"""Of long inputs every ninth of these points, and those about the last line end."""

_AFTER_GOOD_STEP = 8
"""Behind a good request every eighth point: by itself the input is cut at all of them."""

_SMUGGLED_STEP = 5
"""Every fifth point of what comes behind a refused input, and all of its first and last."""

_PAUSED_BYTES = 400
_MOST_SINGLE_BYTES = 30_000
"""Above all limits of a head; what follows them comes in one piece."""

_QUIET_TURNS = 6
_QUIET_SECONDS = 300.0  # A server that never stops answering fails the test.
_CLIENTS_PER_TURN = 32
"""The server begins the requests of so many in a turn of the loop (`app.httpserver.turns`)."""


@dataclass(frozen=True)
class Outcome:
    """What came of an input."""

    answers: tuple[RawAnswer, ...]
    ran: tuple[str, ...]
    is_closed: bool
    continues: int


def after_a_good_request(row: Row) -> Row:
    """Return the row with a good request before it, in the same write."""
    return Row(
        row.name,
        GOOD + row.data,
        ((HTTPStatus.OK,), *row.answers),
        (GOOD_RAN, *row.ran),
        is_closed=row.is_closed,
        then_eof=row.then_eof,
        most_continues=row.most_continues,
        good_bytes=len(GOOD),
    )


def splits(data: bytes, good_bytes: int = 0) -> Iterator[list[bytes]]:
    """Yield the data whole, cut in two at each of many points, and byte by byte.

    Args:
        data: what is split.
        good_bytes: of a good request in front of it.
    """
    yield [data]
    size = len(data)
    step = 1 if size < _LONG_BYTES else _LONG_STEP
    points = {*range(1, _EVERY_POINT, step), *range(size - _LAST, size, step)}
    points.update(range(size - _VERY_LAST, size))
    for limit in _LIMITS:
        points.update(range(limit - 3, limit + _AROUND, step))
    if data.endswith(SMUGGLED):
        behind = range(size - len(SMUGGLED) + _VERY_LAST, size - _VERY_LAST)
        points -= {*behind} - {*behind[::_SMUGGLED_STEP]}
    if good_bytes:
        behind = range(good_bytes + _VERY_LAST, size - _VERY_LAST)
        points -= {*behind} - {*behind[::_AFTER_GOOD_STEP]}
    for point in sorted(points):
        if 0 < point < size:
            yield [data[:point], data[point:]]
    single = [data[at : at + 1] for at in range(min(size, _MOST_SINGLE_BYTES))]
    rest = data[_MOST_SINGLE_BYTES:]
    yield [*single, rest] if rest else single


async def outcomes(server: Server, ran: Ran, row: Row, *, thoroughly: bool = True) -> list[Outcome]:
    """Send a row to connections in memory, to each in another way; return what came of it.

    Args:
        server: takes the connections.
        ran: what its application writes into.
        row: what is sent.
        thoroughly: cut in two at many points too, not only whole and byte by byte.
    """
    inputs = list(splits(row.data, row.good_bytes))
    if not thoroughly:
        inputs = [inputs[0], inputs[-1]]
    clients = [RecordingTransport(server, ip=f"192.0.2.{number}") for number in range(len(inputs))]
    ran.clear()
    unsent = list(zip(clients, inputs, strict=True))
    for step in range(max(map(len, inputs))):
        unsent = [(client, pieces) for client, pieces in unsent if step < len(pieces)]
        for client, pieces in unsent:
            client.send(pieces[step])
        if step < 2:
            await _until_quiet(clients)
        elif step < _PAUSED_BYTES:
            await asyncio.sleep(0)  # Waits for nothing: the bytes shall come in turns of their own.
    if row.then_eof:
        for client in clients:
            client.send_eof()
    await _until_quiet(clients)
    found = [_outcome(client, ran[f"192.0.2.{at}"]) for at, client in enumerate(clients)]
    for client in clients:
        client.abort()
    await _until_quiet(clients)
    return found


async def _until_quiet(clients: Collection[RecordingTransport]) -> None:
    quiet_turns = _QUIET_TURNS + len(clients) // _CLIENTS_PER_TURN
    before, turns = None, 0
    async with asyncio.timeout(_QUIET_SECONDS):
        while turns < quiet_turns:
            await asyncio.sleep(0)
            now = [(len(client.received), client.has_ended) for client in clients]
            turns = turns + 1 if now == before else 0
            before = now


def _outcome(client: RecordingTransport, ran: list[str]) -> Outcome:
    return make_outcome(bytes(client.received), ran, is_closed=client.has_ended)


def make_outcome(received: bytes, ran: Iterable[str], *, is_closed: bool) -> Outcome:
    """Return the outcome of what a client has received."""
    everything = read_answers(received)
    answers = tuple(answer for answer in everything if answer.status >= HTTPStatus.OK)
    return Outcome(answers, tuple(ran), is_closed, len(everything) - len(answers))


async def outcome_over_a_socket(server_port: int, ran: Ran, row: Row) -> Outcome:
    """Send a row to a real server in one write.

    A good request that asks to close follows whatever must leave the connection open: only an open
    connection answers it.
    """
    ran.clear()
    if row.is_closed:
        received = await send(server_port, row.data, then_eof=row.then_eof)
        return make_outcome(received, ran["127.0.0.1"], is_closed=True)
    last = GOOD[:-2] + b"Connection: close\r\n\r\n"
    found = make_outcome(await send(server_port, row.data + last), ran["127.0.0.1"], is_closed=True)
    is_open = len(found.answers) == len(row.answers) + 1 and found.ran[-1:] == (GOOD_RAN,)
    if not is_open:
        return found
    return Outcome(found.answers[:-1], found.ran[:-1], is_closed=False, continues=found.continues)


def faults(row: Row, found: Iterable[Outcome]) -> list[str]:
    """Return a sentence for each thing that is not as the row says, or not always the same."""
    found = list(found)
    sentences = [sentence for outcome in found for sentence in _faults(row, outcome)]
    kinds = {(outcome.answers, outcome.ran, outcome.is_closed) for outcome in found}
    if len(kinds) > 1:
        sentences.append(f"{row.name}: {len(kinds)} outcomes of one input")
    return sorted(set(sentences))


def _faults(row: Row, outcome: Outcome) -> Iterator[str]:
    statuses = [answer.status for answer in outcome.answers]
    if len(statuses) != len(row.answers) or any(
        status not in allowed for status, allowed in zip(statuses, row.answers, strict=True)
    ):
        yield f"{row.name}: answered {statuses} instead of {row.answers}"
    if outcome.ran != row.ran:
        yield f"{row.name}: ran {outcome.ran} instead of {row.ran}"
    if outcome.is_closed != row.is_closed:
        yield f"{row.name}: is {'' if outcome.is_closed else 'not '}closed"
    if outcome.continues > row.most_continues:
        yield f"{row.name}: {outcome.continues} times 100 (Continue)"
    # An answer to HTTP/1.0 closes unless it says otherwise.
    if row.is_closed and not row.then_eof and b" HTTP/1.0\r\n" not in row.data:
        said = [answer.field("connection") for answer in outcome.answers]
        if said[-1:] != ["close"] or "close" in said[:-1]:
            yield f"{row.name}: says Connection: {said}"
