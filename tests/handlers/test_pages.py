"""Pages of /v1/todos: every todo exactly once, whatever happens between two pages."""

import base64
from urllib.parse import urlsplit

import pytest

from app.domain.page import Cursors, TodoQuery
from app.domain.todo import Todo

pytestmark = pytest.mark.gen_test

TODOS = 250


async def store(repository, count=TODOS):
    """Store todos, three at each time and every fourth finished; return their ids, newest first."""
    todos = make_todos(count)
    await repository.add_many(todos)
    return [todo.id for todo in todos]


def make_todos(count=TODOS):
    todos = [
        Todo(
            id=f"{number * 7919 % 1_000_003:024x}",  # In another order than their times.
            owner="public",
            content=str(number),
            created_at=1000.5 + number // 3,
            is_finished=number % 4 == 0,
            finished_at=2000.0 if number % 4 == 0 else None,
            updated_at=1000.5 + number // 3,
            rev=1,
        )
        for number in range(count)
    ]
    return sorted(todos, key=lambda todo: (todo.created_at, todo.id), reverse=True)


async def page(api, target="/v1/todos"):
    """Return the ids on a page and the address of the next one, or None."""
    answer = await api.call("GET", target)
    assert answer.status == 200
    following = None
    if (cursor := answer.json()["next_cursor"]) is not None:
        following, _, relation = answer.headers["Link"].partition("; ")
        following = following.strip("<>")
        assert relation == 'rel="next"'
        assert f"cursor={cursor}" in urlsplit(following).query.split("&")
    else:
        assert "Link" not in answer.headers
    return [item["id"] for item in answer.json()["items"]], following


async def walk(api, target, between=None):
    """Follow the links to the end and return all ids."""
    seen = []
    while target is not None:
        ids, target = await page(api, target)
        seen += ids
        if between is not None and target is not None:
            await between(ids)
    return seen


async def test_an_empty_list_is_one_empty_page(api):
    assert await page(api) == ([], None)


@pytest.mark.parametrize("limit", [1, 7, 20, 100])
async def test_a_walk_meets_every_todo_once_newest_first(api, repository, limit):
    stored = await store(repository, 250 if limit > 1 else 40)
    assert await walk(api, f"/v1/todos?limit={limit}") == stored


async def test_a_page_has_twenty_todos_unless_told_otherwise(api, repository):
    stored = await store(repository, 21)
    ids, _ = await page(api)
    assert ids == stored[:20]


@pytest.mark.parametrize("limit", [20, 21])
async def test_a_full_last_page_has_no_next_one(api, repository, limit):
    await store(repository, limit)
    _, following = await page(api, f"/v1/todos?limit={limit}")
    assert following is None


@pytest.mark.parametrize("is_finished", [True, False])
async def test_a_walk_under_a_filter_meets_every_todo_in_that_state_once(
    api, repository, is_finished
):
    await store(repository)
    seen = await walk(api, f"/v1/todos?limit=9&is_finished={is_finished}".lower())
    assert seen == [todo.id for todo in make_todos() if todo.is_finished is is_finished]


async def test_todos_added_in_front_during_a_walk_move_nothing(api, repository, clock):
    stored = await store(repository)

    async def add_two(_):
        clock.advance(1)
        await api.add("newer")
        await api.add("newer still")

    assert await walk(api, "/v1/todos?limit=20", add_two) == stored


@pytest.mark.parametrize("deleted", [0, 10, -1], ids=["first", "middle", "boundary"])
async def test_todos_deleted_during_a_walk_move_nothing(api, repository, deleted):
    stored = await store(repository)

    async def delete_one(ids):
        assert (await api.call("DELETE", f"/v1/todos/{ids[deleted]}")).status == 204

    assert await walk(api, "/v1/todos?limit=20", delete_one) == stored


async def test_deleting_what_comes_next_loses_only_that(api, repository):
    stored = await store(repository, 60)
    ids, following = await page(api)
    await api.call("DELETE", f"/v1/todos/{stored[20]}")
    assert ids + await walk(api, following) == stored[:20] + stored[21:]


async def test_a_todo_finished_during_a_walk_leaves_the_open_ones_in_place(api, repository):
    await store(repository)
    expected = await walk(api, "/v1/todos?limit=20&is_finished=false")

    async def finish_the_boundary(ids):
        target = f"/v1/todos/{ids[-1]}"
        await api.call("PATCH", target, json_body={"is_finished": True})

    assert await walk(api, "/v1/todos?limit=20&is_finished=false", finish_the_boundary) == expected


async def test_the_link_keeps_limit_and_filter(api, repository):
    await store(repository, 40)
    _, following = await page(api, "/v1/todos?limit=3&is_finished=false")
    parameters = urlsplit(following).query.split("&")
    assert urlsplit(following)[:3] == ("", "", "/v1/todos")
    assert {"limit=3", "is_finished=false"} < set(parameters)


async def test_the_link_repeats_nothing_the_client_said_of_the_host(api, repository):
    await store(repository, 21)
    answer = await api.call("GET", "/v1/todos", headers={"X-Forwarded-Host": "evil.example"})
    assert "evil" not in answer.headers["Link"]


async def cursor_of(api, repository, query=""):
    await store(repository, 60)
    return (await api.call("GET", f"/v1/todos?limit=5{query}")).json()["next_cursor"]


async def test_a_cursor_goes_with_any_limit(api, repository):
    stored = await store(repository, 60)
    cursor = (await api.call("GET", "/v1/todos?limit=5")).json()["next_cursor"]
    ids, _ = await page(api, f"/v1/todos?limit=8&cursor={cursor}")
    assert ids == stored[5:13]


@pytest.mark.parametrize(
    ("made_for", "used_for"),
    [
        ("", "&is_finished=true"),
        ("", "&is_finished=false"),
        ("&is_finished=true", ""),
        ("&is_finished=true", "&is_finished=false"),
        ("&is_finished=false", "&is_finished=true"),
    ],
)
async def test_a_cursor_of_another_list_is_400(api, repository, made_for, used_for):
    cursor = await cursor_of(api, repository, made_for)
    answer = await api.call("GET", f"/v1/todos?cursor={cursor}{used_for}")
    assert (answer.status, *answer.wrong) == (400, "cursor", "invalid_cursor")


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "x", "null", "====", "-", "$gt", "%FF%FE", "%E8%B2%B7", "%00"),
        pytest.param("A" * 36, id="zeros"),
        pytest.param("A" * 64, id="longest"),
        pytest.param("A" * 65, id="too long"),
        pytest.param("A" * 5000, id="far too long"),
    ],
)
async def test_what_was_never_a_cursor_is_400(api, cursor):
    answer = await api.call("GET", f"/v1/todos?cursor={cursor}")
    assert answer.status == 400
    assert answer.json()["type"] == "/problems/invalid-parameter"


async def test_a_truncated_or_lengthened_cursor_is_400(api, repository):
    cursor = await cursor_of(api, repository)
    for damaged in [*(cursor[:length] for length in range(len(cursor))), cursor + "AAAA"]:
        answer = await api.call("GET", f"/v1/todos?cursor={damaged}")
        assert (answer.status, *answer.wrong) == (400, "cursor", "invalid_cursor")


async def test_a_cursor_with_any_bit_flipped_is_400(api, repository):
    cursor = await cursor_of(api, repository)
    raw = base64.urlsafe_b64decode(cursor)
    for bit in range(len(raw) * 8):
        number = int.from_bytes(raw, "big") ^ (1 << bit)
        damaged = base64.urlsafe_b64encode(number.to_bytes(len(raw), "big")).decode()
        answer = await api.call("GET", f"/v1/todos?cursor={damaged}")
        assert (answer.status, *answer.wrong) == (400, "cursor", "invalid_cursor")


async def test_a_cursor_that_somebody_made_up_is_400(api, repository):
    await store(repository)
    made_up = Cursors(b"a guess").encode(TodoQuery(owner="public", limit=5), make_todos()[7])
    answer = await api.call("GET", f"/v1/todos?cursor={made_up}")
    assert (answer.status, *answer.wrong) == (400, "cursor", "invalid_cursor")


async def test_a_cursor_of_one_process_leads_on_in_another(api, other, repository):
    stored = await store(repository)
    _, following = await page(api, "/v1/todos?limit=5")
    ids, _ = await page(other.api, following)
    assert ids == stored[5:10]
