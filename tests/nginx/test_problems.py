"""Whatever nginx answers itself is a problem document, like the service's."""

import re
import socket

import pytest
from nginx.front import Front, check_problem
from nginx.upstream import Upstream

from handlers.problems import PROBLEMS

MALFORMED = {
    "no HTTP": b"\x16\x03\x01",
    "no Host": b"GET / HTTP/1.1",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b",
    "bad Host": b"GET / HTTP/1.1\r\nHost: a b",
    "two lengths": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1",
    "length and coding": (
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked"
    ),
    "a length that is none": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1",
    "a NUL in the path": b"GET /%00 HTTP/1.1\r\nHost: a",
    "a path above the root": b"GET /../../etc/passwd HTTP/1.1\r\nHost: a",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed_requests(fronted: Front, upstream: Upstream, data: bytes) -> None:
    answer = fronted.send(data + b"\r\n\r\n")
    check_problem(answer, 400, kind="/problems/malformed-request")
    assert not upstream.taken


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
def test_methods_that_nobody_serves(fronted: Front, upstream: Upstream, method: str) -> None:
    answer = fronted.send(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    check_problem(answer, 405, kind="/problems/method-not-allowed")
    assert answer.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    assert not upstream.taken


def test_a_transfer_coding_that_is_not_known(front: Front) -> None:
    answer = front.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n")
    check_problem(answer, 501, kind="/problems/not-implemented")


def test_a_version_of_http_that_is_not_spoken(front: Front) -> None:
    answer = front.send(b"GET / HTTP/3.0\r\nHost: a\r\n\r\n")
    check_problem(answer, 505, kind="/problems/http-version-not-supported")


def test_plain_http_on_the_port_of_https(front: Front) -> None:
    answer = front.call("GET", "/", port=front.ports.tls)
    check_problem(answer, 400, kind="/problems/malformed-request")


def test_an_answer_that_is_no_http_is_a_503(fronted: Front, upstream: Upstream) -> None:
    def babble(connection: socket.socket, _taken: object) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nno field\r\n\r\n")
        return False

    upstream.respond = babble
    check_problem(fronted.call("GET", "/"), 503)


def test_a_problem_answers_head_without_its_body(front: Front) -> None:
    answer = front.call("HEAD", "/static/none")
    assert (answer.status, answer.body) == (404, b"")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Content-Length"]) > 0


def test_a_problem_keeps_the_connection_and_the_next_request_is_served(front: Front) -> None:
    one = b"GET /static/none HTTP/1.1\r\nHost: a\r\n\r\n"
    two = b"GET /index HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with front.connect() as connection:
        connection.sendall(one + two)
        data = b""
        while more := connection.recv(65536):
            data += more
    assert data.count(b"HTTP/1.1 404 ") == data.count(b"HTTP/1.1 200 ") == 1


def test_the_pages_of_problems_are_nobodys_to_ask_for(front: Front) -> None:
    check_problem(front.call("GET", "/.problem"), 404, kind="/problems/not-found")


def test_titles_are_the_services_where_the_types_are(front: Front) -> None:
    text = (front.conf / "problems.conf").read_text()
    rows = re.findall(r"^    (\d+) +/problems/(\S+);$", text, re.MULTILINE)
    types = {int(status): code for status, code in rows}
    assert len(types) == 9
    for status, code in types.items():
        problem = PROBLEMS[code]
        assert problem.status == status
        assert f'    {status}      "{problem.title}";' in text


def test_nothing_tells_the_version_of_nginx(front: Front) -> None:
    answers = [front.call("GET", target) for target in ("/index", "/static/none", "/todos")]
    assert {answer.headers["Server"] for answer in answers} == {"nginx"}
    assert not any(b"nginx/" in answer.body for answer in answers)
