"""Answers are compressed where that breaks no entity tag that somebody needs."""

import gzip
from collections.abc import Iterator

import pytest
from nginx.front import Front
from nginx.upstream import Upstream, answer
from service import Answer, Service

LONG = "compress me, " * 200
GZIP = {"Accept-Encoding": "gzip"}
ALL = {"Accept-Encoding": "gzip, br, deflate, zstd"}


@pytest.fixture
def todo(services: list[Service]) -> Iterator[str]:
    """The address of a todo whose text would be worth compressing."""
    todo_id = services[0].add(LONG)
    yield f"/v1/todos/{todo_id}"
    services[0].call("DELETE", f"/v1/todos/{todo_id}")


def check_uncompressed(told: Answer, tag: str | None = None) -> None:
    """Fail unless an answer is as the service sent it."""
    assert told.headers["Content-Encoding"] is None
    assert int(told.headers["Content-Length"]) == len(told.body)
    assert tag is None or told.headers["ETag"] == tag


def test_a_list_is_compressed_and_its_tag_is_weak_either_way(front: Front, todo: str) -> None:
    plain = front.call("GET", "/v1/todos")
    packed = front.call("GET", "/v1/todos", headers=GZIP)
    check_uncompressed(plain)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["ETag"] == plain.headers["ETag"]
    assert packed.headers["ETag"].startswith('W/"')


@pytest.mark.parametrize("accepted", [{}, GZIP, ALL], ids=["plain", "gzip", "all"])
@pytest.mark.parametrize("target", ["/v1/todos", "/todo", "/index", "/openapi.json", "/", "{todo}"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_asks_again_gets_304_with_the_tag_and_vary_of_the_200(
    front: Front, todo: str, method: str, target: str, accepted: dict[str, str]
) -> None:
    target = target.format(todo=todo)
    first = front.call(method, target, headers=accepted)
    known = {**accepted, "If-None-Match": first.headers["ETag"]}
    again = front.call(method, target, headers=known)
    assert (first.status, again.status, again.body) == (200, 304, b"")
    for name in ("ETag", "Vary", "Cache-Control"):
        assert again.headers.get_all(name) == first.headers.get_all(name)
    vary = ",".join(first.headers.get_all("Vary", []))
    assert ("Accept-Encoding" in vary) is (target != todo)


def test_a_todo_is_not_compressed_and_its_tag_is_good_for_changing_it(
    front: Front, todo: str
) -> None:
    told = front.call("GET", todo, headers=ALL)
    check_uncompressed(told, '"1"')
    condition = {**ALL, "If-Match": told.headers["ETag"]}
    changed = front.call("PATCH", todo, json_body={"is_finished": True}, headers=condition)
    assert changed.status == 200
    check_uncompressed(changed, '"2"')


def test_a_todo_in_a_problem_is_not_compressed_and_nor_is_its_tag(front: Front, todo: str) -> None:
    stale = {**ALL, "If-Match": '"9"'}
    told = front.call("PATCH", todo, json_body={"is_finished": True}, headers=stale)
    assert told.status == 412
    check_uncompressed(told, '"1"')


def test_a_new_todo_is_not_compressed_and_its_tag_is_good_for_changing_it(front: Front) -> None:
    told = front.call("POST", "/v1/todos", json_body={"content": LONG}, headers=ALL)
    assert told.status == 201
    check_uncompressed(told, '"1"')
    condition = {"If-Match": told.headers["ETag"]}
    assert front.call("DELETE", told.headers["Location"], headers=condition).status == 204


def test_what_is_short_is_not_compressed(front: Front) -> None:
    check_uncompressed(front.call("GET", "/index", headers=ALL))


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "application/problem+json", "application/health+json", "text/plain"],
)
def test_texts_are_compressed(fronted: Front, upstream: Upstream, media_type: str) -> None:
    upstream.respond = answer(LONG.encode(), "200 OK", f"Content-Type: {media_type}")
    for accepted in ({**GZIP}, {**GZIP, "Via": "1.1 other"}):
        told = fronted.call("GET", "/", headers=accepted)
        assert gzip.decompress(told.body).decode() == LONG


def test_images_are_not_compressed(fronted: Front, upstream: Upstream) -> None:
    upstream.respond = answer(LONG.encode(), "200 OK", "Content-Type: image/png")
    check_uncompressed(fronted.call("GET", "/", headers=ALL))


def test_with_its_module_brotli_is_preferred(front: Front, todo: str) -> None:
    packed = front.call("GET", "/v1/todos", headers=ALL)
    assert packed.headers["Content-Encoding"] == "br"
    assert packed.headers["ETag"].startswith('W/"')
    known = front.call("GET", "/v1/todos", headers={**ALL, "If-None-Match": packed.headers["ETag"]})
    assert known.status == 304
