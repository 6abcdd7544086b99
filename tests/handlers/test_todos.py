"""Todos under /v1: adding, reading, changing by merge patch, deleting, and whose they are."""

import pytest
from bson import ObjectId

from app.domain.todo import MAX_CONTENT_CHARACTERS

pytestmark = pytest.mark.gen_test

UNKNOWN_ID = "0123456789abcdef01234567"


async def change(api, todo, changes):
    """Send a merge patch and return the todo after it."""
    answer = await api.call("PATCH", f"/v1/todos/{todo['id']}", json_body=changes)
    assert answer.status == 200
    assert answer.headers["ETag"] == f'"{answer.json()["rev"]}"'
    return answer.json()


async def read(api, todo):
    answer = await api.call("GET", f"/v1/todos/{todo['id']}")
    assert answer.status == 200
    return answer.json()


async def test_adding_answers_201_with_the_todo_its_address_and_its_tag(api):
    answer = await api.call("POST", "/v1/todos", json_body={"content": "buy milk"})
    todo = answer.json()
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v1/todos/{todo['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert todo == {
        "id": todo["id"],
        "content": "buy milk",
        "is_finished": False,
        "created_at": "2023-11-14T22:13:20.250000Z",
        "updated_at": "2023-11-14T22:13:20.250000Z",
        "finished_at": None,
        "rev": 1,
    }
    assert await read(api, todo) == todo


@pytest.mark.parametrize(
    "content",
    [
        "$gt",
        "$content",
        "$$ROOT",
        "买牛奶 🥛",
        "a\r\n\tb",
        "<script>alert(1)</script>",
        pytest.param("🥛" * MAX_CONTENT_CHARACTERS, id="longest"),
        " ",
        "a\u2028\ufeff\u202eb",
    ],
)
async def test_text_stays_as_it_was_sent(api, content):
    todo = await api.add(content)
    assert (await read(api, todo))["content"] == content
    other = await api.add()
    assert (await change(api, other, {"content": content}))["content"] == content
    assert (await read(api, other))["content"] == content


async def test_a_patch_leaves_absent_members_alone(api, clock):
    todo = await api.add("old")
    clock.advance(1)
    changed = await change(api, todo, {"content": "new"})
    expected = {"content": "new", "rev": 2, "updated_at": "2023-11-14T22:13:21.250000Z"}
    assert changed == todo | expected
    clock.advance(1)
    finished = await change(api, todo, {"is_finished": True})
    times = dict.fromkeys(("updated_at", "finished_at"), "2023-11-14T22:13:22.250000Z")
    assert finished == changed | {"is_finished": True, "rev": 3} | times
    assert await read(api, todo) == finished


async def test_a_patch_may_change_everything_at_once(api):
    todo = await api.add("old")
    changed = await change(api, todo, {"content": "new", "is_finished": True})
    assert (changed["content"], changed["is_finished"], changed["rev"]) == ("new", True, 2)


@pytest.mark.parametrize(
    "changes",
    [{}, {"content": "same"}, {"is_finished": True}, {"content": "same", "is_finished": True}],
    ids=str,
)
async def test_a_patch_that_changes_nothing_keeps_the_revision_and_every_time(api, clock, changes):
    todo = await api.add("same")
    todo = await change(api, todo, {"is_finished": True})
    clock.advance(1)
    assert await change(api, todo, changes) == todo


async def test_finishing_again_while_changing_the_content_keeps_the_first_time(api, clock):
    todo = await change(api, await api.add(), {"is_finished": True})
    clock.advance(1)
    changed = await change(api, todo, {"content": "new", "is_finished": True})
    assert (changed["rev"], changed["finished_at"]) == (3, todo["finished_at"])


async def test_reopening_clears_the_time_and_finishing_anew_sets_another(api, clock):
    todo = await change(api, await api.add(), {"is_finished": True})
    reopened = await change(api, todo, {"is_finished": False})
    assert (reopened["is_finished"], reopened["finished_at"], reopened["rev"]) == (False, None, 3)
    clock.advance(1)
    again = await change(api, todo, {"is_finished": True})
    assert again["finished_at"] == "2023-11-14T22:13:21.250000Z"


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "application/json"])
async def test_a_merge_patch_may_also_come_as_plain_json(api, media_type):
    todo = await api.add()
    answer = await api.call(
        "PATCH",
        f"/v1/todos/{todo['id']}",
        json_body={"content": "new"},
        headers={"Content-Type": media_type},
    )
    assert (answer.status, answer.json()["content"]) == (200, "new")


@pytest.mark.parametrize("member", ["content", "is_finished"])
async def test_no_member_can_be_removed_by_null(api, member):
    todo = await api.add()
    answer = await api.call("PATCH", f"/v1/todos/{todo['id']}", json_body={member: None})
    assert (answer.status, *answer.wrong) == (422, f"#/{member}", "wrong_type")
    assert await read(api, todo) == todo


@pytest.mark.parametrize(
    ("member", "code"),
    [
        *((name, "read_only") for name in ("id", "rev", "created_at", "updated_at", "finished_at")),
        *((name, "unknown_field") for name in ("owner", "$set", "a.b", "Id")),
    ],
)
async def test_what_the_service_decides_cannot_be_set(api, member, code):
    todo = await api.add()
    pointer = "#/" + member.replace("$", "%24")
    for method, target in (("POST", "/v1/todos"), ("PATCH", f"/v1/todos/{todo['id']}")):
        answer = await api.call(method, target, json_body={"content": "x", member: 1})
        assert (answer.status, *answer.wrong) == (422, pointer, code)
    page = (await api.call("GET", "/v1/todos")).json()
    assert page["items"] == [todo]


async def test_deleting_answers_204_and_the_todo_is_gone(api):
    todo = await api.add()
    target = f"/v1/todos/{todo['id']}"
    assert (await api.call("DELETE", target)).status == 204
    assert (await api.call("GET", target)).status == 404
    assert (await api.call("DELETE", target)).status == 404
    assert (await api.call("PATCH", target, json_body={})).status == 404
    assert (await api.call("GET", "/v1/todos")).json() == {"items": [], "next_cursor": None}


async def test_both_versions_show_the_same_todos(api):
    todo = await api.add("both")
    await api.call("PUT", f"/todo/{todo['id']}/finish")
    (article,) = (await api.call("GET", "/todo")).json()["data"]
    assert article["id"] == todo["id"]
    assert (await read(api, todo))["rev"] == 2
    await api.call("DELETE", f"/todo/{todo['id']}")
    assert (await api.call("GET", f"/v1/todos/{todo['id']}")).status == 404


ADDRESSES = (
    ("GET", "/v1/todos/{}", None),
    ("PATCH", "/v1/todos/{}", {"content": "mine now"}),
    ("PATCH", "/v1/todos/{}", {}),
    ("DELETE", "/v1/todos/{}", None),
    ("PUT", "/todo/{}/finish", None),
    ("DELETE", "/todo/{}", None),
)


@pytest.mark.parametrize("headers", [{}, {"If-Match": '"1"'}, {"If-Match": '"7"'}], ids=str)
@pytest.mark.parametrize(("method", "template", "changes"), ADDRESSES)
async def test_unknown_malformed_and_other_peoples_ids_cannot_be_told_apart(
    api, resources, method, template, changes, headers
):
    todo = await api.add()
    theirs = {**await resources.todos.find_one(), "_id": ObjectId(), "owner": "somebody else"}
    await resources.todos.insert_one(theirs)
    bodies = set()
    for todo_id in (
        UNKNOWN_ID,
        str(theirs["_id"]),
        todo["id"].upper().replace("0", "A"),
        "1",
        "x" * 24,
        "%00" * 12,
        "%FF",
    ):
        answer = await api.call(
            method,
            template.format(todo_id),
            json_body=changes,
            headers={**headers, "X-Request-Id": "same"},
        )
        assert answer.status == 404
        bodies.add(answer.body)
    assert len(bodies) == 1
    assert await resources.todos.find_one({"_id": theirs["_id"]}) == theirs


async def test_other_peoples_todos_are_on_no_list(api, resources):
    todo = await api.add()
    theirs = {**await resources.todos.find_one(), "_id": ObjectId(), "owner": "somebody else"}
    await resources.todos.insert_one(theirs)
    for query in ("", "?is_finished=false"):
        page = (await api.call("GET", f"/v1/todos{query}")).json()
        assert [item["id"] for item in page["items"]] == [todo["id"]]
    assert len((await api.call("GET", "/todo")).json()["data"]) == 1


async def test_an_upper_case_id_is_another_address_where_nothing_is(api):
    todo = await api.add()
    while todo["id"] == todo["id"].upper():
        todo = await api.add()
    assert (await api.call("GET", f"/v1/todos/{todo['id'].upper()}")).status == 404


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
async def test_no_header_overrides_the_method(api, name):
    todo = await api.add()
    target = f"/v1/todos/{todo['id']}"
    answer = await api.call("GET", target, headers={name: "DELETE"})
    assert (answer.status, answer.json()) == (200, todo)
    answer = await api.call("POST", target, json_body={}, headers={name: "DELETE"})
    assert answer.status == 405
    assert await read(api, todo) == todo


async def test_ranges_are_not_answered(api):
    todo = await api.add()
    ranges = "bytes=" + ",".join(["0-"] * 2000)
    answer = await api.call("GET", f"/v1/todos/{todo['id']}", headers={"Range": ranges})
    assert (answer.status, answer.json()) == (200, todo)
