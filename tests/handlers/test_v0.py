"""The first version answers as the founding article's clients expect."""

from urllib.parse import quote

import pytest
from bson import ObjectId

from app.domain.todo import MAX_CONTENT_CHARACTERS

pytestmark = pytest.mark.gen_test

UNKNOWN_ID = "0123456789abcdef01234567"
ARTICLE_FIELDS = {"id", "content", "created_at", "is_finished", "finished_at"}


async def add(api, content="buy milk"):
    """Add a todo from a form and return its id."""
    answer = await api.call("POST", "/todo", form=f"content={quote(content)}")
    assert answer.status == 200
    return answer.headers["Location"].rpartition("/")[2]


async def listed(api, query=""):
    answer = await api.call("GET", f"/todo{query}")
    assert answer.status == 200
    return answer.json()["data"]


async def test_the_index_greets(api):
    answer = await api.call("GET", "/index")
    assert (answer.status, answer.json()) == (200, {"msg": "hello world"})
    assert answer.headers["Content-Type"] == "application/json"


async def test_an_empty_list_is_an_empty_array(api):
    assert await listed(api) == []


async def test_adding_answers_with_no_body_and_the_address_of_the_todo(api):
    answer = await api.call("POST", "/todo", form="content=buy+milk")
    assert (answer.status, answer.body) == (200, b"")
    todo = (await api.call("GET", answer.headers["Location"])).json()
    assert (todo["content"], todo["rev"]) == ("buy milk", 1)


async def test_a_todo_has_the_five_fields_of_the_article_and_times_as_epoch_floats(api, clock):
    todo_id = await add(api)
    created_at = clock.now
    assert await listed(api) == [
        {
            "id": todo_id,
            "content": "buy milk",
            "created_at": created_at,
            "is_finished": False,
            "finished_at": None,
        }
    ]
    finished_at = clock.advance(1.5)
    await api.call("PUT", f"/todo/{todo_id}/finish")
    (todo,) = await listed(api)
    assert set(todo) == ARTICLE_FIELDS
    assert (todo["is_finished"], todo["finished_at"]) == (True, finished_at)


@pytest.mark.parametrize(
    ("form", "content"),
    [
        pytest.param("content=a+b%26c", "a b&c", id="percent-encoded"),
        pytest.param("content=买牛奶 🥛", "买牛奶 🥛", id="raw UTF-8"),
        pytest.param("content=%E4%B9%B0", "买", id="percent-encoded UTF-8"),
        pytest.param("content=$gt", "$gt", id="an operator's name"),
        pytest.param("a=1&content=x&owner=eve&a.b=2", "x", id="other fields are ignored"),
        pytest.param("a=1&content=x&a=2&=3&=4", "x", id="repeated other fields are ignored"),
        pytest.param("content=a%0D%0A%09b", "a\r\n\tb", id="line ends and tabs"),
        pytest.param(
            "content=" + "a" * MAX_CONTENT_CHARACTERS, "a" * MAX_CONTENT_CHARACTERS, id="longest"
        ),
    ],
)
async def test_the_content_of_a_form_is_stored_as_it_is(api, form, content):
    assert (await api.call("POST", "/todo", form=form)).status == 200
    assert [todo["content"] for todo in await listed(api)] == [content]


@pytest.mark.parametrize(
    ("form", "place", "code"),
    [
        pytest.param("", "content", "missing", id="empty body"),
        pytest.param("other=1", "content", "missing", id="missing"),
        pytest.param("content=", "content", "too_short", id="empty"),
        pytest.param("content=a&content=b", "content", "repeated", id="repeated"),
        pytest.param("content=%00", "content", "invalid_character", id="NUL"),
        pytest.param("content=%1B[31m", "content", "invalid_character", id="escape"),
        pytest.param(
            "content=" + "a" * (MAX_CONTENT_CHARACTERS + 1), "content", "too_long", id="too long"
        ),
    ],
)
async def test_unusable_content_is_400_and_stores_nothing(api, form, place, code):
    answer = await api.call("POST", "/todo", form=form)
    assert (answer.status, *answer.wrong) == (400, place, code)
    assert await listed(api) == []


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(b"content=\xff", id="raw"),
        pytest.param(b"content=%FF", id="percent-encoded"),
        pytest.param(b"content=%ED%A0%80", id="an encoded surrogate"),
        pytest.param(b"content=a" + b"&a=1" * 101, id="too many fields"),
    ],
)
async def test_a_form_that_is_no_text_is_400(api, form):
    answer = await api.call("POST", "/todo", form=form)
    assert (answer.status, answer.json()["type"]) == (400, "/problems/invalid-parameter")
    assert await listed(api) == []


async def test_a_post_of_nothing_at_all_lacks_its_content(api):
    answer = await api.send(b"POST /todo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
    assert (answer.status, *answer.wrong) == (400, "content", "missing")


@pytest.mark.parametrize(
    "media_type", ["application/json", "multipart/mixed; boundary=x", "text/plain"]
)
async def test_only_forms_are_read(api, media_type):
    answer = await api.call("POST", "/todo", body="content=a", headers={"Content-Type": media_type})
    assert answer.status == 415
    assert answer.headers["Accept-Post"] == "application/x-www-form-urlencoded, multipart/form-data"


async def test_a_compressed_form_is_415_whether_it_has_a_media_type_or_not(api):
    for fields in (b"", b"Content-Type: application/x-www-form-urlencoded\r\n"):
        head = b"POST /todo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
        answer = await api.send(head + fields + b"Content-Encoding: gzip\r\n\r\ncontent=a")
        assert (answer.status, answer.headers["Accept-Encoding"]) == (415, "identity")


async def test_pages_have_ten_todos_newest_first(api, clock):
    ids = []
    for number in range(12):
        clock.advance(1)
        ids.append(await add(api, str(number)))
    newest_first = ids[::-1]
    assert [todo["id"] for todo in await listed(api)] == newest_first[:10]
    assert [todo["id"] for todo in await listed(api, "?start=10")] == newest_first[10:]
    assert [todo["id"] for todo in await listed(api, "?start=1")] == newest_first[1:11]


async def test_equal_times_are_ordered_by_id(api):
    ids = [await add(api, str(number)) for number in range(5)]
    assert [todo["id"] for todo in await listed(api)] == sorted(ids, reverse=True)


@pytest.mark.parametrize(
    "start",
    [
        *("", "-1", "abc", "1.0", "1e1", "%2B1", "1_0", "0x1", "null", "%001"),
        pytest.param("%EF%BC%91", id="a full-width digit"),
        pytest.param("%D9%A1", id="an Arabic digit"),
        pytest.param("1%0A", id="a digit and a line end"),
        pytest.param("%FF", id="not UTF-8"),
        pytest.param("00", id="zeros"),
        pytest.param("0" * 5000, id="five thousand zeros"),
        pytest.param("5&start=0", id="the last of several counts"),
        pytest.param("0&limit=1&cursor=x&$gt=1", id="other parameters are ignored"),
    ],
)
async def test_what_is_no_number_starts_at_the_newest(api, start):
    todo_id = await add(api)
    assert [todo["id"] for todo in await listed(api, f"?start={start}")] == [todo_id]


async def test_a_start_beyond_the_last_todo_is_an_empty_page(api, settings):
    await add(api)
    assert await listed(api, "?start=1") == []
    assert await listed(api, "?start=0001") == []
    assert await listed(api, f"?start={settings.max_start}") == []


@pytest.mark.parametrize("start", ["10001", "99999999999999999999", "9" * 5000])
async def test_a_start_above_the_limit_is_400(api, start):
    answer = await api.call("GET", f"/todo?start={start}")
    assert (answer.status, *answer.wrong) == (400, "start", "too_large")


async def test_finishing_and_deleting_answer_with_no_body(api):
    todo_id = await add(api)
    finished = await api.call("PUT", f"/todo/{todo_id}/finish")
    assert (finished.status, finished.body) == (200, b"")
    deleted = await api.call("DELETE", f"/todo/{todo_id}")
    assert (deleted.status, deleted.body) == (200, b"")
    assert await listed(api) == []


async def test_a_second_finish_keeps_the_first_time(api, clock):
    todo_id = await add(api)
    first = clock.advance(1)
    await api.call("PUT", f"/todo/{todo_id}/finish")
    clock.advance(1)
    assert (await api.call("PUT", f"/todo/{todo_id}/finish")).status == 200
    (todo,) = await listed(api)
    assert todo["finished_at"] == first


async def test_finishing_reads_no_body(api):
    todo_id = await add(api)
    answer = await api.call("PUT", f"/todo/{todo_id}/finish", json_body={"$set": {"owner": "x"}})
    assert answer.status == 200


@pytest.mark.parametrize(
    "todo_id",
    [
        pytest.param(UNKNOWN_ID, id="unknown"),
        pytest.param("1", id="too short"),
        pytest.param(UNKNOWN_ID.upper(), id="upper case"),
        pytest.param("g" * 24, id="no hexadecimal"),
        pytest.param("%00" * 12, id="raw bytes"),
        pytest.param("%FF", id="not UTF-8"),
        pytest.param("a" * 5000, id="long"),
        pytest.param("$gt", id="an operator"),
    ],
)
@pytest.mark.parametrize(("method", "suffix"), [("PUT", "/finish"), ("DELETE", "")])
async def test_an_id_of_no_todo_is_404(api, todo_id, method, suffix):
    answer = await api.call(method, f"/todo/{todo_id}{suffix}")
    assert (answer.status, answer.json()["type"]) == (404, "/problems/todo-not-found")


async def test_a_deleted_todo_can_neither_be_finished_nor_deleted_again(api):
    todo_id = await add(api)
    await api.call("DELETE", f"/todo/{todo_id}")
    assert (await api.call("DELETE", f"/todo/{todo_id}")).status == 404
    assert (await api.call("PUT", f"/todo/{todo_id}/finish")).status == 404


async def test_a_time_stored_as_an_integer_is_shown_as_a_float(api, resources):
    document = {"_id": ObjectId(), "owner": "public", "content": "old", "created_at": 1}
    document |= {"is_finished": False, "finished_at": None, "updated_at": 1, "rev": 1}
    await resources.todos.insert_one(document)
    (todo,) = await listed(api)
    assert (repr(todo["created_at"]), todo["id"]) == ("1.0", str(document["_id"]))
