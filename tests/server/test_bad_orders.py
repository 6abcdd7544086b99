"""What may not happen before, after or instead of something else on one connection."""

from http import HTTPStatus

import pytest
from bad_input_rows import GOOD, GOOD_RAN, SMUGGLED, chunked, get, post
from echo_application import LARGE_BYTES, Ran
from visit import Visit

from app.httpserver import Answer, Server

IP = "192.0.2.1"
LARGE = get(target="/large")


def test_a_body_that_was_not_read_is_no_request(visit: Visit, ran: Ran):
    visit.send(post(f"Content-Length: {len(SMUGGLED)}", path="/early"))
    visit.send(SMUGGLED)
    visit.send(GOOD)
    assert ran[IP] == ["POST /early", GOOD_RAN]
    assert visit.statuses == [200, 200]


def test_a_body_that_was_not_read_is_no_request_in_one_write(visit: Visit, ran: Ran):
    visit.send(post(f"Content-Length: {len(SMUGGLED)}", body=SMUGGLED, path="/early") + GOOD)
    assert ran[IP] == ["POST /early", GOOD_RAN]
    assert visit.statuses == [200, 200]


def test_a_body_that_fails_after_its_answer_has_begun_gets_no_second_one(visit: Visit):
    visit.send(chunked(b"5\r\nhello\r\n").replace(b"/echo", b"/mirror"))
    assert visit.client.received.count(b"HTTP/1.1 ") == 1
    visit.send(b"XX\r\n")
    assert visit.client.received.count(b"HTTP/1.1 ") == 1
    assert visit.client.has_ended


def test_a_known_head_within_another_head_is_no_request(visit: Visit, ran: Ran):
    visit.send(GOOD)
    visit.send(b"GET /admin HTTP/1.1\r\nX: ")
    visit.send(GOOD)
    assert ran[IP] == [GOOD_RAN, "GET /admin"]


def test_a_known_head_within_a_body_is_no_request(visit: Visit, ran: Ran):
    visit.send(GOOD)
    visit.send(post(f"Content-Length: {len(GOOD)}"))
    visit.send(GOOD)
    assert ran[IP] == [GOOD_RAN, f"POST /echo {GOOD.decode()}"]


def test_a_known_head_with_a_body_waits_for_it(visit: Visit, ran: Ran):
    for _ in range(3):
        visit.send(post("Content-Length: 5"))
        visit.send(b"hello")
    assert ran[IP] == ["POST /echo hello"] * 3


def test_a_known_head_waits_until_the_answers_before_are_read(visit: Visit, ran: Ran):
    client = visit.slow_reader()
    visit.send(GOOD)
    visit.send(LARGE)
    visit.send(GOOD)
    assert ran[IP] == [GOOD_RAN, "GET /large"]
    client.take(LARGE_BYTES * 2)
    visit.wait(1.0)
    assert ran[IP] == [GOOD_RAN, "GET /large", GOOD_RAN]


def test_a_pipeline_gives_other_connections_their_turn(visit: Visit, server: Server):
    server.ready = lambda *_: Answer.build(HTTPStatus.OK, ())
    many = 100
    visit.client.send(GOOD * many)
    assert 1 <= len(visit.statuses) < many
    visit.wait(1.0)
    assert visit.statuses == [200] * many


@pytest.mark.parametrize("body", [b"h", b"hello"])
def test_no_continue_is_sent_when_the_body_is_coming_already(visit: Visit, body: bytes):
    visit.send(post("Expect: 100-continue", "Content-Length: 5", body=body))
    visit.send(b"hello"[len(body) :])
    assert visit.statuses == [200]


def test_no_continue_is_sent_after_an_early_answer(visit: Visit):
    visit.send(post("Expect: 100-continue", "Content-Length: 5", path="/early"))
    assert visit.statuses == [200]


def test_no_continue_is_sent_that_was_not_asked_for(visit: Visit):
    visit.send(post("Content-Length: 5"))
    assert not visit.client.received


def test_a_client_that_sent_more_after_close_is_read_from_for_a_while(visit: Visit):
    visit.send(get("Connection: close") + SMUGGLED)
    assert visit.client.has_ended
    assert not visit.client.is_closing()
    visit.wait(4.0)
    assert visit.client.was_aborted
