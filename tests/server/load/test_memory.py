"""What many or slow connections cost: bounded memory, in a server process of its own."""

import pytest

from benchmarks.load_clients import (
    call_each,
    connections,
    pipeline,
    raise_descriptor_limit,
    request,
    trickle_heads,
    trickle_reads,
)
from benchmarks.load_server import PART_BYTES, LoadServer, load_server

KIB = 1024
MIB = 1024 * KIB
IDLE = 10_000
SLOW = 1_000
PIPELINED = 20_000
HANDED_OVER_BYTES = 128 * KIB
"""Of 4 MiB, to a client that reads nothing: twice what the buffers on the way hold."""
WARM_UP = 2_000
"""Enough to fill what the server remembers of heads."""


def _warm_up(server: LoadServer) -> None:
    for target in ("/", "/ready"):
        pipeline(server.port, target, WARM_UP)


def _connections_of(server: LoadServer) -> int:
    return server.state().connections - 1  # The one that asks.


@pytest.mark.parametrize("is_used", [True, False])
def test_an_idle_connection_costs_at_most_12_kib(is_used: bool) -> None:
    count = min(IDLE, raise_descriptor_limit())
    with load_server() as server:
        _warm_up(server)
        before = server.state().rss_bytes
        with connections(server.port, count) as clients:
            if is_used:
                answers = call_each(clients, "/")
                assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
            # The answer to /state comes after all connections before it were accepted.
            assert _connections_of(server) == count
            grown = server.state().rss_bytes - before
    assert grown / count <= 12 * KIB


@pytest.mark.parametrize(("target", "name"), [("/", b"road"), ("/ready", b"ready")])
def test_a_long_pipeline_is_answered_in_order_in_4_mib(target: str, name: bytes) -> None:
    with load_server() as server:
        _warm_up(server)
        server.forget_peak()
        before = server.rss_bytes()
        bodies = pipeline(server.port, target, PIPELINED)
        grown = server.peak_bytes() - before
    assert bodies == [b"%b %d" % (name, number) for number in range(PIPELINED)]
    assert grown <= 4 * MIB


def test_heads_that_trickle_are_cut_with_408() -> None:
    with load_server(head_seconds=1.0) as server:
        _warm_up(server)
        server.forget_peak()
        before = server.rss_bytes()
        answers = trickle_heads(server.port, SLOW)
        grown = server.peak_bytes() - before
    assert len(answers) == SLOW
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers)
    # What an idle connection costs, and its input.
    assert grown / SLOW <= 24 * KIB


def test_others_are_answered_beside_heads_that_do_not_end() -> None:
    with load_server() as server, connections(server.port, SLOW) as clients:
        for client in clients:
            client.sendall(request("/")[:-1])
        assert _connections_of(server) == SLOW
        assert pipeline(server.port, "/", 10) == [b"road %d" % number for number in range(10)]


def test_answers_that_are_read_byte_by_byte_are_held_to_the_write_buffer() -> None:
    write_buffer_bytes = 32 * KIB
    with load_server(write_buffer_bytes=write_buffer_bytes) as server:
        _warm_up(server)
        server.forget_peak()
        before = server.rss_bytes()
        with connections(server.port, SLOW, receive_buffer_bytes=4 * KIB) as clients:
            for client in clients:
                client.sendall(request("/large"))
            assert trickle_reads(clients, rounds=10) == 10 * SLOW
            assert pipeline(server.port, "/", 1) == [b"road 0"]
            assert server.state().large_bytes <= SLOW * HANDED_OVER_BYTES
            grown = server.peak_bytes() - before
    # The handler, its request and its task take the rest.
    assert grown / SLOW <= write_buffer_bytes + 2 * PART_BYTES + 32 * KIB
