"""What one client may send, and how much, is bounded as in the service, and told as there."""

import re
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest
from nginx.front import CLIENT, STRANGER, Front, check_problem, wait_for
from nginx.test_retries import hang
from nginx.upstream import Upstream, answer
from service import ROOT

from app.settings import Settings

MakeFront = Callable[..., Front]

SETTINGS = Settings()
LINE = SETTINGS.max_request_line_bytes
FIELD = SETTINGS.max_header_field_bytes
BODY = SETTINGS.max_body_bytes

SLOW_RATE = {"limits.conf": {"rate=1000r/s": "rate=1r/m", "burst=2000": "burst=2"}}
ONE_AT_A_TIME = {"limits.conf": {"limit_conn connections 200": "limit_conn connections 1"}}
IMPATIENT = {
    "limits.conf": {
        "client_header_timeout 10s": "client_header_timeout 200ms",
        "client_body_timeout 10s": "client_body_timeout 200ms",
        "keepalive_timeout 60s": "keepalive_timeout 200ms",
    }
}


def test_the_largest_body_of_the_service_passes(fronted: Front, upstream: Upstream) -> None:
    assert fronted.call("POST", "/", body=b"b" * BODY).status == 200
    assert len(upstream.taken[0].body) == BODY
    assert "temporary file" not in fronted.errors()  # None is written to disk.


def test_a_larger_body_is_refused_before_it_is_sent(fronted: Front, upstream: Upstream) -> None:
    head = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY + 1}\r\n\r\n"
    check_problem(fronted.send(head.encode()), 413, kind="/problems/content-too-large")
    assert not upstream.taken


def test_a_larger_chunked_body_is_refused(fronted: Front, upstream: Upstream) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    data = head + f"{BODY + 1:x}\r\n".encode() + b"b" * (BODY + 1) + b"\r\n0\r\n\r\n"
    check_problem(fronted.send(data), 413, kind="/problems/content-too-large")
    assert not upstream.taken


def request_line(size: int) -> bytes:
    """Return a request whose line has so many bytes, without its end."""
    frame = len("GET / HTTP/1.1")
    return b"GET /" + b"a" * (size - frame) + b" HTTP/1.1\r\nHost: a\r\n\r\n"


def field(size: int) -> bytes:
    """Return a request with a field of so many bytes, without its end."""
    return b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (size - len("X: ")) + b"\r\n\r\n"


def test_the_longest_request_line_of_the_service_passes(fronted: Front, upstream: Upstream) -> None:
    assert fronted.send(request_line(LINE)).status == 200
    assert len(upstream.taken[0].head.split(b"\r\n")[0]) == LINE


def test_a_longer_request_line_is_refused(fronted: Front, upstream: Upstream) -> None:
    told = fronted.send(request_line(LINE + 1))
    check_problem(told, 414, kind="/problems/uri-too-long")
    assert not upstream.taken


def test_the_longest_field_of_the_service_passes(fronted: Front, upstream: Upstream) -> None:
    assert fronted.send(field(FIELD)).status == 200
    assert len(upstream.taken[0].fields()["x"]) == FIELD - len("X: ")


def test_a_longer_field_is_refused(fronted: Front, upstream: Upstream) -> None:
    told = fronted.send(field(FIELD + 1))
    check_problem(told, 431, kind="/problems/header-fields-too-large")
    assert not upstream.taken


@pytest.mark.parametrize("section_bytes", [SETTINGS.max_header_bytes + 1, 100_000])
def test_more_fields_than_the_service_takes_get_its_problem(
    front: Front, section_bytes: int
) -> None:
    count = section_bytes // 4_000 + 1
    fields = b"".join(b"X-%d: %b\r\n" % (n, b"x" * 4_000) for n in range(count))
    told = front.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
    assert told.status == 431
    assert told.json()["type"] == "/problems/header-fields-too-large"


def test_requests_above_the_rate_are_refused(make_front: MakeFront, upstream: Upstream) -> None:
    front = make_front(upstream.port, edits=SLOW_RATE)
    answers = [front.call("GET", "/", source=STRANGER) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    check_problem(answers[3], 429)
    assert answers[3].headers["Retry-After"] == "1"
    assert len(upstream.taken) == 3
    assert "[warn]" in front.errors()


@pytest.mark.parametrize(("data", "status"), [(b"nonsense", 400), (request_line(LINE + 1), 414)])
def test_above_the_rate_what_cannot_be_read_is_still_a_problem(
    make_front: MakeFront, upstream: Upstream, data: bytes, status: int
) -> None:
    front = make_front(upstream.port, edits=SLOW_RATE)
    for _ in range(4):
        told = front.send(data + b"\r\n\r\n", source=STRANGER)
        assert told.headers["Content-Type"] == "application/problem+json"
        assert told.status == status


def test_the_machine_itself_may_send_as_much_as_it_likes(
    make_front: MakeFront, upstream: Upstream
) -> None:
    front = make_front(upstream.port, edits=SLOW_RATE)
    assert {front.call("GET", "/", source=CLIENT).status for _ in range(10)} == {200}


def test_more_requests_at_once_than_one_client_may_have_are_refused(
    make_front: MakeFront, upstream: Upstream
) -> None:
    upstream.respond = hang
    front = make_front(upstream.port, edits=ONE_AT_A_TIME)
    with front.connect(source=STRANGER) as first:
        first.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: upstream.taken)
        check_problem(front.call("GET", "/", source=STRANGER), 429)
    assert len(upstream.taken) == 1


def read_to_the_end(connection: socket.socket) -> None:
    """Read until nginx closes the connection."""
    while connection.recv(65_536):
        pass


SLOW = {
    "head": b"GET / HTTP/1.1\r\nHost:",
    "body": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234",
    "next request": b"GET /static/none HTTP/1.1\r\nHost: a\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("data", SLOW.values(), ids=SLOW)
def test_who_is_too_slow_loses_the_connection(
    make_front: MakeFront, upstream: Upstream, data: bytes
) -> None:
    front = make_front(upstream.port, edits=IMPATIENT)
    with front.connect() as connection:
        connection.sendall(data)
        with suppress(ConnectionResetError):
            read_to_the_end(connection)
    assert not upstream.taken


def test_who_takes_nothing_of_an_answer_is_cut_off(
    make_front: MakeFront, upstream: Upstream
) -> None:
    upstream.respond = answer(b"x" * 16_777_216)
    front = make_front(
        upstream.port, edits={"limits.conf": {"send_timeout 10s": "send_timeout 200ms"}}
    )
    with front.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: unread\r\n\r\n")
        assert front.access_line("unread")["bytes_sent"] < 16_777_216
        # A reset: what the kernel holds for this client goes with the connection.
        with pytest.raises(ConnectionResetError):
            read_to_the_end(connection)


def test_a_connection_lasts_for_thousands_of_requests(front: Front) -> None:
    one = b"GET /static/none HTTP/1.1\r\nHost: a\r\n\r\n"
    with front.connect() as connection:
        for _ in range(20):
            connection.sendall(one * 100)
            received = b""
            while received.count(b"HTTP/1.1 404 ") < 100 or not received.endswith(b"}"):
                received += connection.recv(65_536)


def seconds(file: str, directive: str) -> float:
    """Return the time that a directive sets."""
    text = (ROOT / "conf/nginx" / file).read_text()
    (found,) = re.findall(rf"^ *{directive} (\d+)s;", text, re.MULTILINE)
    return float(found)


def test_nginx_closes_kept_connections_before_the_service_does() -> None:
    kept = seconds("upstream.conf", "keepalive_timeout")
    node = (ROOT / "conf/node.todo.conf").read_text()
    (drained,) = re.findall(r"^drain_idle_seconds = ([\d.]+)$", node, re.MULTILINE)
    assert 2 * kept < float(drained)
    assert kept < SETTINGS.idle_timeout_seconds


def test_nginx_waits_for_longer_than_the_service_takes_at_most() -> None:
    longest = SETTINGS.redis_write_seconds + SETTINGS.mongo_operation_seconds
    assert longest < seconds("proxy.conf", "proxy_read_timeout")


def test_nginx_gives_a_head_as_long_as_the_service_does() -> None:
    assert seconds("limits.conf", "client_header_timeout") == SETTINGS.header_timeout_seconds
