"""The access log as it leaves the process: one short line for each request, whatever it holds."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from service import Service

Start = Callable[..., Service]

LINE_CHARACTERS = 1_000

HOSTILE_REQUESTS = {
    "long user agent": ("/v1/todos", {"User-Agent": "A" * 10_000}),
    "control characters": ("/v1/%1b%5b2J%0d%0a%00%7f%c2%9b", {}),
    "bytes that are not UTF-8": ("/v1/%ff%fe", {}),
    "long path": ("/v1/" + "a" * 8_000, {}),
    "long id": ("/v1/todos/" + "%0a" * 2_000, {}),
    "long query": ("/v1/todos?cursor=" + "%22" * 2_500, {}),
    "long request id": ("/livez", {"X-Request-Id": "i" * 8_000}),
    "quotes": ('/v1/","level":"error', {"User-Agent": '"}'}),
}


def access_lines(service: Service) -> list[dict[str, Any]]:
    """Stop the service and return its access log."""
    assert service.stop() == 0
    entries = [json.loads(line) for line in service.log]
    return [entry for entry in entries if entry["logger"] == "access"]


def test_each_request_is_one_json_line_with_route_status_duration_and_id(
    start: Start, backend_flags: tuple[str, ...]
) -> None:
    service = start(*backend_flags)
    todo_id = service.add("leave a trace")
    service.call("GET", f"/v1/todos/{todo_id}", headers={"X-Request-Id": "mine-1"})
    service.call("GET", "/nowhere")

    created, read, lost = access_lines(service)
    assert [created["http.request.method"], created["http.route"]] == ["POST", "/v1/todos"]
    assert created["http.response.status_code"] == 201
    assert 0 < created["duration_ms"] < 5_000
    assert re.fullmatch("[0-9a-f]{16,32}", created["request_id"])
    assert [read["http.route"], read["url.path"]] == ["/v1/todos/{todo_id}", f"/v1/todos/{todo_id}"]
    assert read["request_id"] == "mine-1"
    assert [lost["http.route"], lost["http.response.status_code"]] == ["unknown", 404]


@pytest.fixture(scope="module")
def hostile_log(servers: Any) -> list[str]:
    """The log of a service that has been sent all hostile requests, one line for each."""
    service = Service("--port=0", f"--mongo-uri={servers.mongo_uri}", "--redis-url=none")
    try:
        service.wait_for_banner()
        for target, headers in HOSTILE_REQUESTS.values():
            service.call("GET", target, headers=headers)
        assert service.stop() == 0
    finally:
        service.kill()
    return [line for line in service.log if '"logger":"access"' in line]


def test_hostile_requests_cannot_add_lines(hostile_log: list[str]) -> None:
    assert len(hostile_log) == len(HOSTILE_REQUESTS)
    assert all(json.loads(line)["level"] == "info" for line in hostile_log)


def test_hostile_requests_cannot_make_long_lines(hostile_log: list[str]) -> None:
    assert max(map(len, hostile_log)) <= LINE_CHARACTERS


def test_hostile_requests_cannot_send_escapes(hostile_log: list[str]) -> None:
    assert all(line.isprintable() for line in hostile_log)


def test_on_a_terminal_a_line_is_for_people_and_hostile_text_cannot_steer_it(
    start: Start, backend_flags: tuple[str, ...]
) -> None:
    service = start(*backend_flags, terminal=True)
    service.call("GET", "/index")
    for target, headers in HOSTILE_REQUESTS.values():
        service.call("GET", target, headers=headers)
    assert service.stop() == 0

    lines = [line for line in service.log if " GET " in line]
    assert len(lines) == 1 + len(HOSTILE_REQUESTS)
    assert re.fullmatch(r"\d\d:\d\d:\d\d INFO    GET /index 200 \d+\.\d+ [0-9a-f]{16,}", lines[0])
    assert all(line.isprintable() and len(line) <= LINE_CHARACTERS for line in lines)


def test_without_access_log_requests_leave_no_line(
    start: Start, backend_flags: tuple[str, ...]
) -> None:
    service = start(*backend_flags, "--no-access-log")
    service.call("GET", "/index")
    assert access_lines(service) == []
