"""Who may see what."""

from collections.abc import Callable

import pytest
from nginx.front import CLIENT, STRANGER, Front, check_problem
from nginx.upstream import Taken, Upstream

MakeFront = Callable[..., Front]

RESTRICTED = ("/metrics", "/version", "/nginx_status")
DISGUISED = (
    *("//metrics", "/./metrics", "/x/../metrics", "/%6detrics", "/metrics/", "/metrics?x=1"),
    *("/metrics;x", "/version?", "/%2e/version", "/METRICS", "http://a/metrics", "/v1/../metrics"),
)


@pytest.mark.parametrize("target", RESTRICTED)
def test_an_address_of_the_list_sees_how_the_service_does(front: Front, target: str) -> None:
    assert front.call("GET", target, source=CLIENT).status == 200


@pytest.mark.parametrize("target", RESTRICTED)
def test_others_do_not(front: Front, target: str) -> None:
    check_problem(front.call("GET", target, source=STRANGER), 403)


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS", "DELETE"])
def test_others_do_not_by_any_method(front: Front, method: str) -> None:
    assert front.call(method, "/metrics", source=STRANGER).status == 403


@pytest.mark.parametrize("target", DISGUISED)
def test_others_do_not_by_another_spelling(front: Front, target: str) -> None:
    head = f"GET {target} HTTP/1.1\r\nHost: a\r\n"
    answer = front.send(f"{head}X-Forwarded-For: {CLIENT}\r\n\r\n".encode(), source=STRANGER)
    assert answer.status in (403, 404)


def test_the_status_of_nginx_counts_its_requests(front: Front) -> None:
    answer = front.call("GET", "/nginx_status")
    assert b"Active connections: " in answer.body
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Request-Id"]


@pytest.fixture
def authority(make_upstream: Callable[..., Upstream]) -> Upstream:
    """Lets alice in, tells nobody who he is, and forbids everybody else."""

    def decide(connection: object, taken: Taken) -> bool:
        asked = taken.fields().get("authorization")
        verdict = {None: "401 No\r\nWWW-Authenticate: Bearer", "Bearer alice": "204 Yes"}
        head = f"HTTP/1.1 {verdict.get(asked, '403 Never')}\r\nX-User: alice\r\n"
        length = "" if "204" in head else "Content-Length: 0\r\n"
        connection.sendall(f"{head}{length}\r\n".encode())  # type: ignore[attr-defined]
        return True

    return make_upstream(decide)


@pytest.fixture
def guarded(make_front: MakeFront, upstream: Upstream, authority: Upstream) -> Front:
    """An nginx that asks the authority about /internal/."""
    edits = {
        "site.conf": {"#include authorised.conf;": "include authorised.conf;"},
        "authorised.conf": {"127.0.0.1:9000": f"127.0.0.1:{authority.port}"},
    }
    return make_front(upstream.port, edits=edits)


def test_who_is_let_in_by_the_other_service_reaches_this_one(
    guarded: Front, upstream: Upstream, authority: Upstream
) -> None:
    told = guarded.call(
        "POST",
        "/internal/report?of=today",
        body=b"secret",
        headers={"Authorization": "Bearer alice", "X-User": "bob", "X-Request-Id": "both"},
        source=STRANGER,
    )
    assert told.status == 200
    asked = authority.taken[0].fields()
    assert (asked["x-original-method"], asked["x-original-uri"]) == (
        "POST",
        "/internal/report?of=today",
    )
    assert asked["x-forwarded-for"] == STRANGER
    assert authority.taken[0].body == b""
    fields = upstream.taken[0].fields()
    assert upstream.taken[0].body == b"secret"
    assert fields["x-user"] == "alice"
    assert fields["x-forwarded-for"] == STRANGER
    assert fields["x-request-id"] == asked["x-request-id"] == "both"


def test_who_is_not_known_is_told_how_to_say_who_he_is(guarded: Front, upstream: Upstream) -> None:
    told = guarded.call("GET", "/internal/report")
    check_problem(told, 401)
    assert told.headers["WWW-Authenticate"] == "Bearer"
    assert not upstream.taken


def test_who_is_not_let_in_does_not_reach_this_service(guarded: Front, upstream: Upstream) -> None:
    told = guarded.call("GET", "/internal/report", headers={"Authorization": "Bearer eve"})
    check_problem(told, 403)
    assert not upstream.taken


def test_without_the_other_service_nobody_is_let_in(
    guarded: Front, upstream: Upstream, authority: Upstream
) -> None:
    authority.respond = lambda _connection, _taken: False
    told = guarded.call("GET", "/internal/report", headers={"Authorization": "Bearer alice"})
    check_problem(told, 500, kind="/problems/internal-error")
    assert not upstream.taken


def test_nobody_asks_the_other_service_from_outside(guarded: Front, authority: Upstream) -> None:
    check_problem(guarded.call("GET", "/.authorise"), 404, kind="/problems/not-found")
    assert not authority.taken


def test_all_else_is_passed_on_without_asking(guarded: Front, authority: Upstream) -> None:
    assert guarded.call("GET", "/v1/todos").status == 200
    assert not authority.taken
