"""Rows 11, 22, 23, 54, 78 and 80 of the table: what comes too slowly, or is never taken.

The server's clock stands still until a test moves it, so nothing here waits.
"""

from http import HTTPStatus

import pytest
from bad_input_rows import GOOD, GOOD_RAN, chunked, post
from echo_application import LARGE_BYTES, Ran
from visit import Visit

from app.httpserver import Answer, Options, Refusal, Server

IP = "192.0.2.1"
HALF = GOOD[:20]


def test_a_client_that_says_nothing_is_closed_after_the_time_of_a_head(visit: Visit):
    visit.wait(9.0)
    assert not visit.client.has_ended
    visit.wait(2.0)
    assert visit.client.has_ended
    assert not visit.client.received


def test_a_head_is_refused_when_its_time_is_over(visit: Visit):
    visit.send(HALF)
    visit.wait(9.0)
    assert not visit.client.has_ended
    visit.wait(2.0)
    assert visit.statuses == [408]
    assert visit.client.has_ended


def test_a_head_that_trickles_gets_no_more_time(visit: Visit):
    endless = GOOD[:-2] + b"X: " + b"y" * 100
    for at in range(11):
        visit.send(endless[at : at + 1])
        visit.wait(1.0)
    assert visit.statuses == [408]


def test_an_empty_line_before_a_request_starts_the_time_of_its_head(visit: Visit):
    visit.send(b"\r\n")
    visit.wait(11.0)
    assert visit.statuses == [408]


def test_the_refusal_of_a_late_head_says_what_was_asked(visit: Visit, server: Server):
    refusals: list[Refusal] = []
    server._refuse = lambda refusal, _: refusals.append(refusal)
    visit.send(b"GET /a HTTP/1.1\r\nX-Request-Id: mine\r\nHo")
    visit.wait(11.0)
    (refusal,) = refusals
    assert refusal.start_line == ("GET", "/a", "HTTP/1.1")
    assert refusal.request_fields == (("X-Request-Id", "mine"),)


def test_a_request_that_was_late_does_not_run(visit: Visit, ran: Ran):
    visit.send(HALF)
    visit.wait(11.0)
    visit.send(GOOD[20:] + GOOD)
    assert not ran[IP]


def test_the_second_head_has_as_much_time_as_the_first(visit: Visit):
    visit.wait(5.0)
    visit.send(GOOD)
    visit.wait(5.0)
    visit.send(HALF)
    visit.wait(9.0)
    assert visit.statuses == [200]
    visit.wait(2.0)
    assert visit.statuses == [200, 408]


def test_an_idle_connection_is_closed_without_an_answer(visit: Visit):
    visit.send(GOOD)
    visit.wait(74.0)
    assert not visit.client.has_ended
    visit.wait(2.0)
    assert visit.client.has_ended
    assert visit.statuses == [200]


def test_a_request_makes_a_connection_as_new(visit: Visit, ran: Ran):
    for _ in range(3):
        visit.send(GOOD)
        visit.wait(50.0)
    assert not visit.client.has_ended
    assert ran[IP] == [GOOD_RAN] * 3


@pytest.mark.parametrize(
    "body",
    [post("Content-Length: 100"), chunked(b""), chunked(b"64\r\n"), chunked(b"0\r\n")],
    ids=["a length", "chunks", "a chunk", "trailers"],
)
def test_a_body_that_never_comes_is_refused(visit: Visit, ran: Ran, body: bytes):
    visit.send(body)
    visit.wait(5.0)
    assert not visit.client.has_ended
    visit.wait(2.0)
    assert visit.statuses == [408]
    assert visit.client.has_ended
    assert not ran[IP]


def test_a_body_that_trickles_is_refused_after_its_grace(visit: Visit, ran: Ran):
    visit.send(post("Content-Length: 100"))
    for _ in range(7):
        visit.send(b"a")
        visit.wait(1.0)
    assert visit.statuses == [408]
    assert not ran[IP]


def test_a_body_that_comes_fast_enough_is_taken_until_its_time_is_over(visit: Visit):
    visit.send(post("Content-Length: 1000000"))
    for _ in range(29):
        visit.send(b"a" * 1100)
        visit.wait(1.0)
    assert not visit.client.has_ended
    visit.wait(2.0)
    assert visit.statuses == [408]


def test_a_streaming_handler_is_told_once_that_its_body_was_late(visit: Visit, ran: Ran):
    visit.send(post("Content-Length: 100", path="/stream"))
    visit.wait(7.0)
    visit.send(b"a" * 100)
    assert ran[IP] == ["POST /stream prepared", "POST /stream closed"]
    assert visit.statuses == [408]


def test_a_refused_client_that_stays_is_cut_off(visit: Visit):
    visit.send(b"x\r\n\r\n")
    assert not visit.client.was_aborted
    visit.wait(4.0)
    assert visit.client.was_aborted


def test_a_client_that_reads_slowly_but_enough_gets_all_of_a_last_answer(visit: Visit):
    client = visit.slow_reader()
    visit.send(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    for _ in range(LARGE_BYTES // 5000 + 2):
        client.take(5000)
        visit.wait(1.0)
    assert len(client.received) > LARGE_BYTES
    assert client.has_ended


@pytest.mark.parametrize("options", [Options(linger_bytes=1000)])
def test_a_refused_client_that_sends_on_is_cut_off(visit: Visit):
    visit.send(b"x\r\n\r\n")
    visit.send(b"a" * 1000)
    assert not visit.client.was_aborted
    visit.send(b"a")
    assert visit.client.was_aborted


def test_a_client_that_does_not_read_is_cut_off(visit: Visit, server: Server):
    client = visit.slow_reader()
    visit.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    visit.wait(29.0)
    assert not client.was_aborted
    visit.wait(2.0)
    assert client.was_aborted
    assert server.statistics.slow_readers == 1


def test_a_client_that_does_not_read_a_ready_answer_is_cut_off(visit: Visit, server: Server):
    large = Answer.build(HTTPStatus.OK, (), b"a" * LARGE_BYTES)
    server.ready = lambda _: large
    client = visit.slow_reader()
    visit.send(GOOD)
    visit.wait(29.0)
    assert not client.was_aborted
    visit.wait(2.0)
    assert client.was_aborted


def test_a_client_that_reads_below_the_least_rate_is_cut_off(visit: Visit):
    client = visit.slow_reader()
    visit.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    for _ in range(31):
        client.take(1000)
        visit.wait(1.0)
    assert client.was_aborted


def test_a_client_that_reads_slowly_but_enough_gets_all(visit: Visit):
    client = visit.slow_reader()
    visit.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    for _ in range(LARGE_BYTES // 2000 + 1):
        client.take(2000)
        visit.wait(1.0)
    client.take(LARGE_BYTES)
    assert visit.statuses == [200]
    assert not client.was_aborted


def test_a_client_that_reads_again_must_still_send_its_body_in_time(visit: Visit):
    client = visit.slow_reader()
    visit.send(post("Content-Length: 300000", path="/mirror"))
    visit.send(b"a" * 200_000)
    client.take(300_000)
    visit.wait(60.0)
    assert client.has_ended


def test_a_client_that_does_not_read_is_cut_off_after_its_body_too(visit: Visit):
    client = visit.slow_reader()
    visit.send(post("Content-Length: 200000", body=b"a" * 200_000, path="/mirror"))
    visit.wait(60.0)
    assert client.was_aborted


def test_no_further_request_is_begun_while_answers_are_not_read(visit: Visit, ran: Ran):
    client = visit.slow_reader()
    visit.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
    assert ran[IP] == ["GET /large"]
    client.take(LARGE_BYTES * 2)
    visit.wait(1.0)
    assert ran[IP] == ["GET /large"] * 2
