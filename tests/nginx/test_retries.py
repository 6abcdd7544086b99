"""A request is repeated only where that is safe."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from nginx.conftest import ONE_WORKER
from nginx.front import Front, check_problem, free_ports, wait_for
from nginx.upstream import Upstream, answer, hang_up

MakeFront = Callable[..., Front]
MakeUpstream = Callable[..., Upstream]

OUT_FOR_LONG = {"upstream.conf": {"fail_timeout=2s": "fail_timeout=60s"}}
IMPATIENT = {"proxy.conf": {"proxy_read_timeout 15s;": "proxy_read_timeout 200ms;"}}


def hang(connection: socket.socket, _taken: object) -> bool:
    """Say nothing until nginx closes the connection."""
    connection.recv(1)
    return False


@pytest.fixture
def closed_port() -> int:
    """A port that refuses connections."""
    return free_ports(1)[0]


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "PUT", "DELETE"])
def test_a_request_goes_to_the_other_process_where_one_refuses_connections(
    make_front: MakeFront, upstream: Upstream, closed_port: int, method: str
) -> None:
    front = make_front(closed_port, upstream.port)
    for _ in range(4):
        assert front.call(method, "/v1/todos", body=b"{}").status == 200
    assert [taken.body for taken in upstream.taken] == [b"{}"] * 4


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_change_that_was_sent_is_never_sent_twice(
    make_front: MakeFront, make_upstream: MakeUpstream, method: str
) -> None:
    upstreams = [make_upstream(hang_up), make_upstream(hang_up)]
    front = make_front(*[upstream.port for upstream in upstreams])
    problem = check_problem(front.call(method, "/v1/todos", body=b"{}"), 503)
    assert "may or may not" in problem["detail"]
    assert sum(len(upstream.taken) for upstream in upstreams) == 1


def test_a_post_on_a_kept_connection_that_breaks_is_not_sent_twice(
    make_front: MakeFront, make_upstream: MakeUpstream
) -> None:
    upstreams = [make_upstream(), make_upstream()]
    front = make_front(*[upstream.port for upstream in upstreams], edits=ONE_WORKER)
    for _ in range(4):
        assert front.call("GET", "/").status == 200
    for upstream in upstreams:
        upstream.respond = hang_up
    check_problem(front.call("POST", "/", body=b"x"), 503)
    posted = [n for upstream in upstreams for n in upstream.taken if n.body]
    assert len(posted) == 1


def test_a_get_that_is_broken_off_is_sent_to_the_other_process(
    make_front: MakeFront, make_upstream: MakeUpstream
) -> None:
    broken, sound = make_upstream(hang_up), make_upstream(answer(b"well"))
    front = make_front(broken.port, sound.port)
    assert [front.call("GET", "/").body for _ in range(4)] == [b"well"] * 4
    assert broken.taken


def test_a_request_is_tried_three_times_at_most(
    make_front: MakeFront, make_upstream: MakeUpstream
) -> None:
    upstreams = [make_upstream(hang_up) for _ in range(4)]
    front = make_front(*[upstream.port for upstream in upstreams])
    check_problem(front.call("GET", "/"), 503)
    assert sum(len(upstream.taken) for upstream in upstreams) == 3


def test_a_process_that_fails_twice_is_left_alone(
    make_front: MakeFront, make_upstream: MakeUpstream
) -> None:
    broken, sound = make_upstream(hang_up), make_upstream(answer(b"well"))
    front = make_front(broken.port, sound.port, edits=OUT_FOR_LONG)
    for _ in range(12):
        assert front.call("GET", "/").body == b"well"
    assert len(broken.taken) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_process_that_is_left_alone_is_asked_when_no_other_can_be_reached(
    make_front: MakeFront, make_upstream: MakeUpstream, method: str
) -> None:
    closing = answer(b"well", "200 OK", "Connection: close")
    back, stopped = make_upstream(hang_up), make_upstream(closing)
    front = make_front(back.port, stopped.port, edits=OUT_FOR_LONG)
    for _ in range(6):
        assert front.call("GET", "/").body == b"well"
    assert len(back.taken) == 2
    back.respond = answer(b"well")
    stopped.close()
    for _ in range(6):
        assert front.call(method, "/", body=b"x").body == b"well"


def test_a_process_that_hangs_keeps_its_request_and_others_are_answered(
    make_front: MakeFront, make_upstream: MakeUpstream
) -> None:
    hanging, sound = make_upstream(hang), make_upstream(answer(b"well"))
    front = make_front(hanging.port, sound.port, edits=ONE_WORKER)
    with front.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: hanging.taken)  # The first request goes to the first of the list.
        for _ in range(10):
            assert front.call("GET", "/").body == b"well"
    assert len(hanging.taken) == 1


def test_a_process_that_does_not_answer_in_time_is_a_504(
    make_front: MakeFront, make_upstream: MakeUpstream
) -> None:
    front = make_front(make_upstream(hang).port, edits=IMPATIENT)
    check_problem(front.call("POST", "/v1/todos", body=b"{}"), 504)


def test_a_request_that_took_long_is_not_tried_again(
    make_front: MakeFront, make_upstream: MakeUpstream
) -> None:
    upstreams = [make_upstream(hang), make_upstream(hang)]
    texts = {**IMPATIENT["proxy.conf"], "upstream_timeout 5s;": "upstream_timeout 100ms;"}
    front = make_front(*[upstream.port for upstream in upstreams], edits={"proxy.conf": texts})
    check_problem(front.call("GET", "/"), 504)
    assert sum(len(upstream.taken) for upstream in upstreams) == 1


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port where somebody listens, but new connections are neither taken nor refused."""
    with ExitStack() as opened:
        listening = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = listening.getsockname()[1]
        for _ in range(4):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


def test_a_process_that_takes_no_connections_is_given_up_soon(
    make_front: MakeFront, upstream: Upstream, full_port: int
) -> None:
    front = make_front(full_port, upstream.port)
    assert front.call("POST", "/v1/todos", body=b"{}").status == 200
    assert "Connection timed out" in front.errors()  # The first of the list was tried first.


def test_without_any_process_clients_are_told_to_come_again(
    make_front: MakeFront, closed_port: int
) -> None:
    front = make_front(closed_port)
    answer = front.call("GET", "/v1/todos", headers={"X-Request-Id": "nobody-there"})
    check_problem(answer, 503)
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["X-Request-Id"] == "nobody-there"
    line = front.access_line("nobody-there")
    assert (line["http.response.status_code"], line["upstream.status"]) == (503, "502, 502")
