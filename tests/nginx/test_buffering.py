"""Slow clients are nginx's business: the service never waits for one."""

import socket

from nginx.front import Front, read_answer, wait_for
from nginx.upstream import Upstream, answer

LARGE = bytes(range(256)) * 65_536
"""16 MiB: more than all sockets between the service and a client that does not read can hold."""


def test_a_body_that_trickles_occupies_no_connection_of_the_service(
    fronted: Front, upstream: Upstream
) -> None:
    head = (
        b"POST /v1/todos HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"
    )
    with fronted.connect() as slow:
        slow.sendall(head)
        assert slow.recv(65536).startswith(b"HTTP/1.1 100 ")  # nginx has begun to read the body.
        slow.sendall(b"01234")
        assert fronted.call("GET", "/").status == 200
        assert [taken.head[:4] for taken in upstream.taken] == [b"GET "]
        assert upstream.connections == 1
        slow.sendall(b"56789")
        assert read_answer(slow).status == 200
    assert upstream.taken[1].body == b"0123456789"


def test_a_chunked_body_reaches_the_service_whole_and_with_its_length(
    fronted: Front, upstream: Upstream
) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    fronted.send(head + b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Trailer: 1\r\n\r\n")
    fields = upstream.taken[0].fields()
    assert upstream.taken[0].body == b"abcdefg"
    assert fields["content-length"] == "7"
    assert not {"transfer-encoding", "x-trailer"} & set(fields)


def test_a_slow_reader_does_not_hold_the_service(fronted: Front, upstream: Upstream) -> None:
    upstream.respond = answer(LARGE)
    slow = socket.socket()
    with slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(120)
        slow.connect(("127.0.0.1", fronted.ports.http))
        slow.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: upstream.answered == 1)  # And nobody has read a byte of it.
        assert read_answer(slow).body == LARGE
