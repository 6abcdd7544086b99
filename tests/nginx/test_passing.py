"""What reaches the service, and what comes back: nothing is lost, changed or believed."""

import json
import re
import socket
from contextlib import closing

import pytest
from contract import check_answer
from nginx.front import STRANGER, Front, read_answer, wait_for
from nginx.upstream import Taken, Upstream, answer
from service import Answer, Service

TARGETS = (
    "/",
    "/v1/todos/a%2Fb",
    "/v1/todos/a%2fb%2F",
    "//v1//todos",
    "/v1/x/%2e%2e/todos",
    "/v1/x/../todos",
    "/v1/./todos",
    "/%76%31/todos?%6cimit=1&&a=b+c%20d",
    "/v1/todos?next=/a//b/../c?d",
    "/~a;b=c,d/(e)'!*$@:",
    "/v1/todos/%E5%A4%A7",
    "/v1/todos/\\^`|{}",
)

SPOOFED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Server": "evil.example",
    "X-Forwarded-Ssl": "on",
    "X-Real-IP": "6.6.6.6",
    "X-Scheme": "https",
    "X-Original-URL": "/metrics",
    "X-Rewrite-URL": "/metrics",
    "X-HTTP-Method-Override": "DELETE",
    "X-Method-Override": "DELETE",
    "X-Original-Host": "evil.example",
    "X-Client-IP": "6.6.6.6",
    "True-Client-IP": "6.6.6.6",
    "CF-Connecting-IP": "6.6.6.6",
    "X-User": "root",
    "Forwarded": "for=6.6.6.6",
    "Proxy": "http://evil.example",
    "X_Forwarded_For": "6.6.6.6",
    "X_Real_IP": "6.6.6.6",
}


def checked(front: Front, method: str, target: str, **kwargs: object) -> Answer:
    """Send a request and hold the service's answer against its contract."""
    told = front.call(method, target, **kwargs)  # type: ignore[arg-type]
    assert told.headers["Server"] == "nginx"
    del told.headers["Server"]
    check_answer(method, target, told.status, told.headers, told.body)
    return told


def test_a_todo_lives_its_life_through_nginx(front: Front) -> None:
    created = checked(front, "POST", "/v1/todos", json_body={"content": "pass through"})
    assert created.status == 201
    where = created.headers["Location"]
    assert re.fullmatch("/v1/todos/[0-9a-f]{24}", where)
    changed = checked(
        front,
        "PATCH",
        where,
        json_body={"is_finished": True},
        headers={"If-Match": created.headers["ETag"]},
    )
    assert changed.status == 200
    assert checked(front, "HEAD", where).headers["ETag"] == changed.headers["ETag"]
    known = checked(front, "GET", where, headers={"If-None-Match": changed.headers["ETag"]})
    assert known.status == 304
    stale = checked(front, "DELETE", where, headers={"If-Match": created.headers["ETag"]})
    assert stale.status == 412
    assert stale.json()["type"] == "/problems/precondition-failed"
    old = where.replace("/v1/todos/", "/todo/")
    assert checked(front, "PUT", f"{old}/finish").status == 200
    assert "PATCH" in checked(front, "OPTIONS", where).headers["Allow"]
    assert checked(front, "DELETE", where).status == 204
    gone = checked(front, "GET", where)
    assert gone.json()["type"] == "/problems/todo-not-found"


def test_both_processes_get_requests(front: Front) -> None:
    ids = [front.call("GET", "/index").headers["X-Request-Id"] for _ in range(10)]
    used = {front.access_line(an_id)["upstream.address"] for an_id in ids}
    assert len(used) == 2


@pytest.mark.parametrize("target", TARGETS)
def test_the_target_reaches_the_service_byte_for_byte(
    fronted: Front, upstream: Upstream, target: str
) -> None:
    fronted.send(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert [taken.target for taken in upstream.taken] == [target]


def test_what_clients_say_of_themselves_is_overwritten(fronted: Front, upstream: Upstream) -> None:
    fronted.call("GET", "/", headers={**SPOOFED, "Host": "todo.example:80"}, source=STRANGER)
    fields = upstream.taken[0].fields()
    assert fields == {
        "host": "todo.example:80",
        "x-forwarded-for": STRANGER,
        "x-forwarded-proto": "http",
        "x-forwarded-host": "todo.example:80",
        "x-forwarded-port": str(fronted.ports.http),
        "x-real-ip": STRANGER,
        "accept-encoding": "identity",
    }


def test_over_tls_the_service_is_told_so(fronted: Front, upstream: Upstream) -> None:
    fronted.call("GET", "/", tls=True, headers={"X-Forwarded-Proto": "http"})
    fields = upstream.taken[0].fields()
    assert fields["x-forwarded-proto"] == "https"
    assert fields["x-forwarded-port"] == str(fronted.ports.tls)


def test_the_service_logs_the_client_that_nginx_names(
    front: Front, services: list[Service]
) -> None:
    headers = {"X-Request-Id": "whose-is-it", "X-Forwarded-For": "6.6.6.6"}
    front.call("GET", "/index", headers=headers, source=STRANGER)
    (line,) = wait_for(lambda: app_lines(services, "whose-is-it"))
    assert line["client.address"] == STRANGER


def app_lines(services: list[Service], request_id: str) -> list[dict[str, object]]:
    """Return the lines in the access logs of the processes that are of a request."""
    lines = [json.loads(line) for service in services for line in service.log]
    return [line for line in lines if line.get("request_id") == request_id]


def test_an_upgrade_is_not_passed_on(fronted: Front, upstream: Upstream) -> None:
    asked = {"Connection": "Upgrade, X-Secret", "Upgrade": "websocket"}
    assert fronted.call("GET", "/", headers=asked).status == 200
    assert not {"connection", "upgrade"} & set(upstream.taken[0].fields())


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
def test_the_method_is_passed_on(fronted: Front, upstream: Upstream, method: str) -> None:
    assert fronted.call(method, "/v1/todos").status == 200
    assert upstream.taken[0].head.startswith(f"{method} /v1/todos HTTP/1.1\r\n".encode())


def test_requests_of_many_clients_share_a_connection(fronted: Front, upstream: Upstream) -> None:
    for _ in range(20):
        assert fronted.call("GET", "/").status == 200
    assert upstream.connections == 1


def test_an_idle_connection_is_closed_by_nginx(fronted: Front, upstream: Upstream) -> None:
    assert fronted.call("GET", "/").status == 200
    assert wait_for(lambda: upstream.ended) == 1


def test_errors_of_the_service_pass_untouched(fronted: Front, upstream: Upstream) -> None:
    upstream.respond = answer(b"busy", "503 No", "X-Own: yes")
    told = fronted.call("POST", "/v1/todos", body=b"x")
    assert (told.status, told.body, told.headers["X-Own"]) == (503, b"busy", "yes")
    assert "Retry-After" not in told.headers
    assert len(upstream.taken) == 1


def test_pipelined_requests_are_answered_in_their_order(front: Front) -> None:
    one = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with closing(front.connect()) as connection:
        connection.sendall(one % b"index" + one % b"nowhere" + one % b"livez")
        # HTTPResponse reads ahead, so the answers are taken from one stream.
        data = b""
        while data.count(b"HTTP/1.1 ") < 3 or b'"status":"pass"' not in data:
            data += connection.recv(65536)
    assert re.findall(rb"HTTP/1.1 (\d+) ", data) == [b"200", b"404", b"200"]


def test_a_host_that_is_not_ours_is_refused_by_the_service(front: Front) -> None:
    for host in ("localhost", "127.0.0.1", "[::1]:80"):
        assert front.call("GET", "/v1/todos", headers={"Host": host}).status == 200
    refused = front.call("GET", "/v1/todos", headers={"Host": "rebind.evil.example:8080"})
    assert refused.status == 403
    assert refused.json()["type"] == "/problems/local-only"


@pytest.mark.parametrize("tls", [False, True])
def test_a_page_of_ours_may_change_todos_and_another_may_not(front: Front, *, tls: bool) -> None:
    host = f"localhost:{front.ports.tls if tls else front.ports.http}"
    scheme = "https" if tls else "http"
    for origin, status in (
        *((f"{scheme}://{host}", 201), (f"{scheme}://localhost", 403)),
        *(("https://evil.example", 403), ("null", 403)),
    ):
        headers = {"Host": host, "Origin": origin}
        todo = {"content": "from a page"}
        answer = front.call("POST", "/v1/todos", headers=headers, json_body=todo, tls=tls)
        assert answer.status == status, origin
        assert status == 201 or answer.json()["type"] == "/problems/cross-origin"


def test_a_client_of_http_1_0_without_a_host_is_served(front: Front) -> None:
    with closing(front.connect()) as connection:
        connection.sendall(b"GET /index HTTP/1.0\r\n\r\n")
        assert read_answer(connection).status == 200


def test_a_client_that_closes_its_sending_side_gets_its_answer(
    fronted: Front, upstream: Upstream
) -> None:
    with fronted.connect() as connection:

        def wait(service: socket.socket, taken: Taken) -> bool:
            connection.shutdown(socket.SHUT_WR)
            fronted.call("GET", "/nginx_status")  # The only worker has seen it before this.
            return answer(b"all the same")(service, taken)

        upstream.respond = wait
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_answer(connection).body == b"all the same"
