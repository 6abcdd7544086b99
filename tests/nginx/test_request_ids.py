"""One id for a request: in the answer, in the service's log and in nginx's."""

import re

import pytest
from nginx.front import STRANGER, Front, check_problem, wait_for
from nginx.test_passing import app_lines
from nginx.upstream import Upstream
from service import Service

FIT = ("a", "0", "A-Za-z0-9._:/+=@-", "i" * 128)
UNFIT = ("", "i" * 129, "a b", 'a"b', "a,b", "ä", "a\tb", "${request_id}", "<b>")


@pytest.mark.parametrize("given", FIT)
def test_a_fit_id_of_the_client_is_kept(fronted: Front, upstream: Upstream, given: str) -> None:
    fronted.call("GET", "/", headers={"X-Request-Id": given})
    assert upstream.taken[0].fields()["x-request-id"] == given


@pytest.mark.parametrize("given", UNFIT)
def test_an_unfit_id_is_not_passed_on(fronted: Front, upstream: Upstream, given: str) -> None:
    fronted.call("GET", "/", headers={"X-Request-Id": given})
    assert "x-request-id" not in upstream.taken[0].fields()


def test_the_service_sees_the_same_head_of_requests_that_are_the_same(
    fronted: Front, upstream: Upstream
) -> None:
    for _ in range(2):
        fronted.call("GET", "/")
    first, second = (taken.fields() for taken in upstream.taken)
    assert first == second


def test_answers_and_both_logs_have_the_same_id(front: Front, services: list[Service]) -> None:
    answer = front.call("GET", "/v1/todos?limit=1", source=STRANGER)
    (the_id,) = answer.headers.get_all("X-Request-Id", [])
    (of_service,) = wait_for(lambda: app_lines(services, the_id))
    of_nginx = front.access_line(the_id)
    assert of_service["logger"] == "access"
    assert of_service["url.path"] == "/v1/todos"
    ports = {f"127.0.0.1:{service.port}" for service in services}
    assert of_nginx.pop("upstream.address") in ports
    assert 0 <= float(of_nginx.pop("upstream.duration_s")) <= of_nginx.pop("duration_s") + 0.1
    assert of_nginx.pop("bytes_sent") > of_nginx.pop("bytes_received") > 0
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", of_nginx.pop("ts"))
    assert of_nginx == {
        "logger": "nginx",
        "request_id": the_id,
        "client.address": STRANGER,
        "http.request.method": "GET",
        "url.original": "/v1/todos?limit=1",
        "network.protocol": "HTTP/1.1",
        "tls.protocol": "",
        "http.response.status_code": 200,
        "upstream.status": "200",
    }


def test_it_is_so_where_the_service_refuses_a_request_unread(
    front: Front, services: list[Service]
) -> None:
    answer = front.call("GET", "/", headers={f"X-{number}": "x" for number in range(101)})
    assert answer.status == 431
    the_id = answer.headers["X-Request-Id"]
    assert answer.json()["instance"] == f"urn:request:{the_id}"
    assert front.access_line(the_id)["http.response.status_code"] == 431
    (of_service,) = wait_for(lambda: app_lines(services, the_id))
    assert of_service["http.route"] == "refused"


def test_the_log_tells_the_version_of_tls(front: Front) -> None:
    front.call("GET", "/index", tls=True, headers={"X-Request-Id": "over-tls"})
    assert front.access_line("over-tls")["tls.protocol"] == "TLSv1.3"


def test_the_log_tells_the_method_where_nginx_answers_itself(front: Front) -> None:
    front.call("POST", "/static/x", headers={"X-Request-Id": "posted"}, body=b"x")
    assert front.access_line("posted")["http.request.method"] == "POST"
    bad = b"DELETE / HTTP/1.1\r\nHost: a b\r\nX-Request-Id: deleted\r\n\r\n"
    check_problem(front.send(bad), 400, kind="/problems/malformed-request")
    assert wait_for(
        lambda: [
            line
            for line in front.access_lines()
            if (line["http.request.method"], line["http.response.status_code"]) == ("DELETE", 400)
        ]
    )


HOSTILE = {
    "long path": b"GET /" + b"a" * 8_000 + b" HTTP/1.1\r\nHost: a\r\n",
    "quotes": b'GET /","status":"1 HTTP/1.1\r\nHost: a\r\n',
    "backslashes": b"GET /" + b"\\" * 5_000 + b" HTTP/1.1\r\nHost: a\r\n",
    "bytes that are not UTF-8": b"GET /\xff\xfe\xc2 HTTP/1.1\r\nHost: a\r\n",
    "long method": b"A" * 8_000 + b" / HTTP/1.1\r\nHost: a\r\n",
    "no HTTP": b"\x16\x03\x01\x00",
    "control characters": b"GET /\x1b[2J HTTP/1.1\r\nHost: a\r\n",
    "HTTP/0.9": b"GET /",
    "long host": b"GET / HTTP/1.1\r\nHost: " + b"a" * 8_000 + b"\r\n",
    "long user agent": b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: " + b"a" * 8_000 + b"\r\n",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_requests_are_one_short_line_of_json(fronted: Front, data: bytes) -> None:
    before = sum(1 for _ in fronted.access_lines())
    with fronted.connect() as connection:
        connection.sendall(data + b"Connection: close\r\n\r\n")
        while connection.recv(65536):
            pass
    fronted.call("GET", "/", headers={"X-Request-Id": "after"})
    fronted.access_line("after")
    lines = (fronted.folder / "log/access.log").read_bytes().splitlines()[before:]
    own = [line for line in lines if b'"after"' not in line]
    assert max(map(len, own)) < 1_000
    assert all(line.decode("ascii").isprintable() for line in own)
    assert b"/nginx_status" in own[0] or len(own) == 1
