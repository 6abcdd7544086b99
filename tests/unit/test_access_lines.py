"""The line of a request says what a record would, to the byte, whatever a client sent."""

import json
import logging
from datetime import datetime
from functools import partial
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import log
from app.log import AccessLog, JsonFormatter

REQUEST = {
    "method": "GET",
    "route": "/v1/todos/{todo_id}",
    "path": "/v1/todos/1",
    "status": 404,
    "seconds": 0.0015,
}
CLIENT = ("127.0.0.1", "abc")


def access_lines(clients=(CLIENT,), *, for_a_person=False, **changes):
    lines = []
    access = AccessLog()
    access.write_to(lines.extend, for_a_person=for_a_person)
    access.requests(clients, **(REQUEST | changes))
    return lines


def line_of_a_record(client, ts, *, method, route, path, status, seconds):
    """Return the line of a record that says the same."""
    fields = {
        "http.request.method": method,
        "http.route": route,
        "url.path": path,
        "http.response.status_code": status,
        "client.address": client[0],
        "request_id": client[1],
    }
    if seconds is not None:
        fields["duration_ms"] = round(seconds * 1000, 3)
    record = logging.LogRecord("access", logging.INFO, __file__, 1, "request", None, None)
    record.fields = fields
    record.created = datetime.fromisoformat(ts).timestamp()
    return JsonFormatter().format(record)


TEXTS = st.text(max_size=200)


REQUESTS = st.fixed_dictionaries({
    "method": TEXTS,
    "route": TEXTS,
    "path": TEXTS,
    "status": st.sampled_from([200, 503, HTTPStatus.NOT_MODIFIED]),
    "seconds": st.none() | st.integers(0, 10**9).map(lambda microseconds: microseconds / 1e6),
})  # fmt: skip
CLIENTS = st.lists(st.tuples(TEXTS, st.sampled_from(["a", "b:1"])))


@given(told=REQUESTS, clients=CLIENTS, in_a_request=st.booleans())
def test_a_line_of_a_request_is_to_the_byte_that_of_a_record(told, clients, in_a_request):
    token = log.request_id.set("x" if in_a_request else None)
    try:
        lines = access_lines(clients, **told)
        times = [json.loads(line)["ts"] for line in lines]
        assert lines == list(map(partial(line_of_a_record, **told), clients, times))
    finally:
        log.request_id.reset(token)


def test_a_console_line_of_a_request_has_what_a_person_wants_to_see():
    (line,) = access_lines(path="/v1/todos/\x1b[31m", for_a_person=True)
    time, rest = line.split(" ", 1)
    assert len(time) == len("22:13:20")
    assert rest == "INFO    GET /v1/todos/\\x1b[31m 404 1.5 abc"


def test_a_console_line_of_a_refused_request_has_no_duration():
    (line,) = access_lines(seconds=None, for_a_person=True)
    assert line.endswith(" 404 - abc")


@pytest.mark.parametrize(
    "text",
    ["\r\n", "\n", "\x1b[31m", "\0", "\x7f", "\x85", "\u2028", "\ud800", '"', "\\", "%s", "買🥛"],
    ids=ascii,
)
@pytest.mark.parametrize("for_a_person", [False, True])
def test_a_line_of_a_request_is_one_encodable_line_whatever_is_in_it(for_a_person, text):
    (line,) = access_lines(path=f"/{text}", method=text, for_a_person=for_a_person)
    line.encode()
    assert "\n" not in line
    assert "\r" not in line
    assert "\x1b" not in line


@pytest.mark.parametrize("for_a_person", [False, True])
def test_what_clients_choose_is_cut_in_their_lines(for_a_person):
    (line,) = access_lines(path="p" * 201, method="m" * 201, for_a_person=for_a_person)
    for letter in "pm":
        assert f"{letter * 200}…" in line
        assert letter * 201 not in line
