"""What else may lie in the collection is adopted with sense or left alone, and nobody suffers."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from api import Answer, Api
from bson import Binary, Decimal128, Int64, ObjectId
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from app.domain.todo import PUBLIC_OWNER
from app.resources import Resources
from app.storage.preparation import prepare

pytestmark = pytest.mark.gen_test

NOW = 1_500_000_000.75
FINISHED_AT = NOW + 3600
LAST_SECOND = 253_402_300_799
"""Of the year 9999, the last that RFC 3339 can write."""

Document = dict[str, Any]
ARTICLE: Document = {
    "content": "buy milk",
    "created_at": NOW,
    "is_finished": False,
    "finished_at": None,
}
FINISHED: Document = {**ARTICLE, "is_finished": True, "finished_at": FINISHED_AT}

NO_TODOS: dict[str, Document] = {
    "an id that is a text": {"_id": "0123456789abcdef01234567"},
    "an id that is a number": {"_id": 7},
    "an id that is a document": {"_id": {"oid": "0123456789abcdef01234567"}},
    "content that is null": {"content": None},
    "content that is a number": {"content": 7},
    "content that is a document": {"content": {"text": "buy milk"}},
    "content that is a list of texts": {"content": ["buy milk"]},
    "content that is bytes": {"content": Binary(b"buy milk")},
    "a time before the epoch": {"created_at": -1.0},
    "a time after the year 9999": {"created_at": LAST_SECOND + 0.5},
    "a time in milliseconds after the year 9999": {"created_at": Int64(NOW * 1000 * 1000)},
    "NaN": {"created_at": float("nan")},
    "infinity": {"created_at": float("inf")},
    "minus infinity": {"created_at": float("-inf")},
    "a decimal NaN": {"created_at": Decimal128("NaN")},
    "a decimal infinity": {"created_at": Decimal128("Infinity")},
    "a huge decimal": {"created_at": Decimal128("1E+6000")},
    "a time that is a text": {"created_at": "1500000000.75"},
    "a time that is a date": {"created_at": datetime(2017, 7, 14, tzinfo=UTC)},
    "a time that is a bool": {"created_at": True},
    "a time that is a list of times": {"created_at": [NOW]},
    "a time that is null": {"created_at": None},
}

TIMES: dict[str, tuple[Any, float]] = {
    "the epoch": (0, 0.0),
    "an int": (1_500_000_000, 1_500_000_000.0),
    "a long": (Int64(1_500_000_000), 1_500_000_000.0),
    "a decimal": (Decimal128("1500000000.75"), NOW),
    "a decimal finer than a double": (Decimal128("1500000000.7500000000000000000001"), NOW),
    "a decimal nearer to zero than a double": (Decimal128("1E-400"), 0.0),
    "the last second": (LAST_SECOND, float(LAST_SECOND)),
}
NO_TIMES: dict[str, Any] = {
    "a text": "yesterday",
    "a negative number": -1.0,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "after the year 9999": LAST_SECOND + 1,
    "a decimal NaN": Decimal128("NaN"),
    "a huge decimal": Decimal128("1E+6000"),
    "a date": datetime(2017, 7, 14, tzinfo=UTC),
    "a bool": True,
    "a list": [FINISHED_AT],
    "a document": {"$gt": 0},
}
NOT_TRUE: dict[str, Any] = {
    "a text": "true",
    "a number": 1,
    "null": None,
    "a list": [True],
    "a document": {"$ne": False},
}


ROUTES: dict[str, Callable[[Api, str], Awaitable[Answer]]] = {
    "list": lambda api, _: api.call("GET", "/v1/todos"),
    "finished": lambda api, _: api.call("GET", "/v1/todos?is_finished=true"),
    "open": lambda api, _: api.call("GET", "/v1/todos?is_finished=false"),
    "one a page": lambda api, _: api.call("GET", "/v1/todos?limit=1"),
    "article": lambda api, _: api.call("GET", "/todo"),
    "article, further": lambda api, _: api.call("GET", "/todo?start=1"),
    "read": lambda api, todo_id: api.call("GET", f"/v1/todos/{todo_id}"),
    "change": lambda api, todo_id: api.call(
        "PATCH", f"/v1/todos/{todo_id}", json_body={"content": "buy oats"}
    ),
    "finish": lambda api, todo_id: api.call("PUT", f"/todo/{todo_id}/finish"),
    "reopen": lambda api, todo_id: api.call(
        "PATCH", f"/v1/todos/{todo_id}", json_body={"is_finished": False}
    ),
    "delete": lambda api, todo_id: api.call("DELETE", f"/todo/{todo_id}"),
}
"""Every address that shows or changes a todo, in an order in which each finds it."""


async def assert_all_answer_200(api: Api, todo_id: str) -> None:
    answers = {name: (await route(api, todo_id)).status for name, route in ROUTES.items()}
    assert answers == dict.fromkeys(ROUTES, 200)


async def add_and_prepare(resources: Resources, document: Document) -> ObjectId:
    """Store a document as it is, start as after an update of the service, return the id."""
    result = await resources.todos.insert_one(dict(document))
    await prepare(resources.todos, owner=PUBLIC_OWNER)
    return result.inserted_id


async def stored(resources: Resources, document_id: Any) -> bytes:
    """Return a document as bytes: NaN is no equal of itself."""
    raw = resources.todos.with_options(CodecOptions(document_class=RawBSONDocument))
    document = await raw.find_one({"_id": document_id})
    assert document is not None
    return bytes(document.raw)


@pytest.mark.parametrize("odd", NO_TODOS.values(), ids=NO_TODOS)
async def test_a_document_that_cannot_be_a_todo_is_left_alone_and_troubles_nobody(
    resources: Resources, api: Api, odd: Document
):
    document = {"_id": ObjectId(), **ARTICLE, **odd}
    await resources.todos.insert_one(document)
    before = await stored(resources, document["_id"])
    todo = await api.add()
    await prepare(resources.todos, owner=PUBLIC_OWNER)
    assert await stored(resources, document["_id"]) == before
    assert (await api.call("GET", "/v1/todos")).json()["items"] == [todo]
    await assert_all_answer_200(api, todo["id"])


@pytest.mark.parametrize("lacking", ["content", "created_at"])
async def test_a_document_without_what_makes_a_todo_is_left_alone(
    resources: Resources, api: Api, lacking: str
):
    odd = {name: value for name, value in ARTICLE.items() if name != lacking}
    document_id = await add_and_prepare(resources, odd)
    assert await resources.todos.find_one({"_id": document_id}) == {"_id": document_id, **odd}
    assert (await api.call("GET", "/v1/todos")).json()["items"] == []


@pytest.mark.parametrize("odd", NO_TODOS.values(), ids=NO_TODOS)
async def test_the_todos_beside_one_that_is_left_alone_are_adopted(
    resources: Resources, odd: Document
):
    await resources.todos.insert_one({**ARTICLE, **odd})
    todo_id = await add_and_prepare(resources, ARTICLE)
    adopted = await resources.todos.find({"owner": PUBLIC_OWNER}).to_list()
    assert [document["_id"] for document in adopted] == [todo_id]


@pytest.mark.parametrize(("created_at", "seconds"), TIMES.values(), ids=TIMES)
async def test_a_time_of_any_numeric_type_becomes_a_double(
    resources: Resources, api: Api, created_at: Any, seconds: float
):
    todo_id = await add_and_prepare(resources, {**ARTICLE, "created_at": created_at})
    (document,) = await resources.todos.find().to_list()
    assert (document["created_at"], document["updated_at"]) == (seconds, seconds)
    assert {type(document["created_at"]), type(document["updated_at"])} == {float}
    await assert_all_answer_200(api, str(todo_id))


@pytest.mark.parametrize(("finished_at", "seconds"), TIMES.values(), ids=TIMES)
async def test_a_time_of_finishing_of_any_numeric_type_becomes_a_double(
    resources: Resources, api: Api, finished_at: Any, seconds: float
):
    todo_id = await add_and_prepare(resources, {**FINISHED, "finished_at": finished_at})
    (document,) = await resources.todos.find().to_list()
    assert (document["finished_at"], document["updated_at"]) == (seconds, max(seconds, NOW))
    assert {type(document["finished_at"]), type(document["updated_at"])} == {float}
    await assert_all_answer_200(api, str(todo_id))


@pytest.mark.parametrize("finished_at", NO_TIMES.values(), ids=NO_TIMES)
async def test_a_time_of_finishing_that_is_none_is_forgotten(
    resources: Resources, api: Api, finished_at: Any
):
    todo_id = await add_and_prepare(resources, {**FINISHED, "finished_at": finished_at})
    (document,) = await resources.todos.find().to_list()
    assert (document["is_finished"], document["finished_at"]) == (True, None)
    assert document["updated_at"] == NOW
    await assert_all_answer_200(api, str(todo_id))


@pytest.mark.parametrize("is_finished", NOT_TRUE.values(), ids=NOT_TRUE)
async def test_whatever_is_not_true_is_not_finished_and_has_no_time_of_finishing(
    resources: Resources, api: Api, is_finished: Any
):
    todo_id = await add_and_prepare(resources, {**FINISHED, "is_finished": is_finished})
    (document,) = await resources.todos.find().to_list()
    assert (document["is_finished"], document["finished_at"]) == (False, None)
    await assert_all_answer_200(api, str(todo_id))
