"""Whatever is sent, the server answers by its contract or closes, and goes on serving."""

from drawn_requests import BODIES, in_any_state, requests
from exchange import JSON_HEADERS, Request, Server, add_todo
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(in_any_state, max_examples=200)
@given(data=st.data())
def test_every_request_is_answered_by_the_contract(server: Server, data: st.DataObject):
    request = data.draw(requests(add_todo(server)))
    status, _ = server.call(request)
    assert status != 500


@settings(in_any_state, max_examples=250)
@given(body=BODIES, chunked=st.booleans(), method=st.sampled_from(["POST", "PATCH"]))
def test_every_body_is_stored_or_told_what_is_wrong_with_it(
    server: Server, body: bytes, method: str, *, chunked: bool
):
    target = "/v1/todos" if method == "POST" else f"/v1/todos/{add_todo(server)}"
    status, _ = server.call(Request(method, target, JSON_HEADERS, body, chunked))
    assert status in {201 if method == "POST" else 200, 400, 413, 422}


PREFIXES = st.sampled_from(
    [
        b"",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n",
        b"GET /livez HTTP/1.1\r\nHost: [::1]\r\n",
        b"POST /v1/todos HTTP/1.1\r\nHost: [::1]\r\nContent-Type: application/json\r\n",
        b"POST /v1/todos HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /todo HTTP/1.1\r\nHost: [::1]\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST /todo HTTP/1.1\r\nHost: [::1]\r\nContent-Length: -1\r\n\r\n",
        b"POST /todo HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /todo HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\n",
        b"GET /v1/todos HTTP/1.1\r\nHost: [::1]\r\nX-Request-Id: a\r\n\tb\r\n",
        b"GET http://[::1/ HTTP/1.1\r\nHost: [::1]\r\n\r\n",
        b"GET /livez HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ]
)
LINES = st.lists(
    st.sampled_from(
        [b"\r\n", b"\n", b"\r", b"\x00", b": ", b"Host: localhost", b"X: \xff", b"0\r\n\r\n"]
    )
    | st.binary(max_size=30),
    max_size=8,
).map(b"".join)


@settings(in_any_state, max_examples=300)
@given(prefix=PREFIXES, rest=LINES)
def test_garbage_gets_an_answer_or_a_close_and_nobody_else_notices(
    server: Server, prefix: bytes, rest: bytes
):
    received = server.exchange(prefix + rest, end=True)
    assert received == b"" or received.startswith(b"HTTP/1.1 ")
    assert not received.startswith((b"HTTP/1.1 500", b"HTTP/1.1 503"))
    server.assert_serves()


@settings(in_any_state, max_examples=100)
@given(data=st.data())
def test_a_request_cut_off_anywhere_leaves_no_trace(server: Server, data: st.DataObject):
    sent = data.draw(requests(add_todo(server))).encode()
    cut = data.draw(st.integers(0, len(sent) - 1))
    server.exchange(sent[:cut], end=True)
    server.assert_serves()
