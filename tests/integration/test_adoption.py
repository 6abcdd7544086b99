"""Documents of the founding article's code become todos at the next start."""

import asyncio
from typing import Any

import pytest
from api import Api
from bson import ObjectId
from clock import Clock
from pymongo import MongoClient

from app.domain.todo import PUBLIC_OWNER
from app.resources import Resources, open_resources
from app.settings import Settings
from app.storage import adoption
from app.storage.adoption import adopt_ownerless
from app.storage.preparation import prepare

pytestmark = pytest.mark.gen_test

NOW = 1_500_000_000.75
FINISHED_AT = NOW + 3600.5
SMALL_BATCH = 10

Document = dict[str, Any]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adoption, "_BATCH_DOCUMENTS", SMALL_BATCH)


def add_as_in_the_article(mongo_uri: str, content: str, created_at: float) -> str:
    """Do what the article's POST handler does, and return the id."""
    with MongoClient[Document](mongo_uri) as client:
        db = client.get_default_database()
        result = db.todos.insert_one(
            {
                "content": content,
                "created_at": created_at,
                "is_finished": False,
                "finished_at": None,
            }
        )
        return str(result.inserted_id)


def finish_as_in_the_article(mongo_uri: str, todo_id: str, finished_at: float) -> None:
    with MongoClient[Document](mongo_uri) as client:
        db = client.get_default_database()
        db.todos.update_one(
            {"_id": ObjectId(todo_id)},
            {"$set": {"is_finished": True, "finished_at": finished_at}},
        )


async def fill(resources: Resources, count: int) -> None:
    await resources.todos.insert_many(
        [
            {
                "content": f"todo {number}",
                "created_at": NOW + number,
                "is_finished": False,
                "finished_at": None,
            }
            for number in range(count)
        ]
    )


async def documents(resources: Resources) -> list[Document]:
    found: list[Document] = await resources.todos.find().sort("_id").to_list()
    return found


async def test_todos_of_the_article_are_served_by_both_versions(
    resources: Resources, api: Api, mongo_uri: str
):
    older = add_as_in_the_article(mongo_uri, "older", NOW)
    newer = add_as_in_the_article(mongo_uri, "newer", NOW + 1)
    finish_as_in_the_article(mongo_uri, older, FINISHED_AT)
    await prepare(resources.todos, owner=PUBLIC_OWNER)
    answer = await api.call("GET", "/todo")
    assert answer.json()["data"] == [
        {
            "id": newer,
            "content": "newer",
            "created_at": NOW + 1,
            "is_finished": False,
            "finished_at": None,
        },
        {
            "id": older,
            "content": "older",
            "created_at": NOW,
            "is_finished": True,
            "finished_at": FINISHED_AT,
        },
    ]
    answer = await api.call("GET", "/v1/todos")
    assert answer.json()["items"] == [
        {
            "id": newer,
            "content": "newer",
            "is_finished": False,
            "created_at": "2017-07-14T02:40:01.750000Z",
            "updated_at": "2017-07-14T02:40:01.750000Z",
            "finished_at": None,
            "rev": 1,
        },
        {
            "id": older,
            "content": "older",
            "is_finished": True,
            "created_at": "2017-07-14T02:40:00.750000Z",
            "updated_at": "2017-07-14T03:40:01.250000Z",
            "finished_at": "2017-07-14T03:40:01.250000Z",
            "rev": 1,
        },
    ]


async def test_an_adopted_todo_can_be_changed_finished_and_deleted(
    resources: Resources, api: Api, mongo_uri: str, clock: Clock
):
    todo_id = add_as_in_the_article(mongo_uri, "buy milk", NOW)
    await prepare(resources.todos, owner=PUBLIC_OWNER)
    target = f"/v1/todos/{todo_id}"
    answer = await api.call(
        "PATCH", target, json_body={"content": "buy oats"}, headers={"If-Match": '"1"'}
    )
    assert (answer.status, answer.json()["content"], answer.json()["rev"]) == (200, "buy oats", 2)
    assert (await api.call("PUT", f"/todo/{todo_id}/finish")).status == 200
    (todo,) = (await api.call("GET", "/todo")).json()["data"]
    assert (todo["is_finished"], todo["finished_at"]) == (True, clock())
    assert (await api.call("DELETE", f"/todo/{todo_id}")).status == 200
    assert (await api.call("GET", target)).status == 404


async def test_a_todo_finished_before_keeps_its_time_when_finished_again(
    resources: Resources, api: Api, mongo_uri: str
):
    todo_id = add_as_in_the_article(mongo_uri, "buy milk", NOW)
    finish_as_in_the_article(mongo_uri, todo_id, FINISHED_AT)
    await prepare(resources.todos, owner=PUBLIC_OWNER)
    assert (await api.call("PUT", f"/todo/{todo_id}/finish")).status == 200
    (todo,) = (await api.call("GET", "/todo")).json()["data"]
    assert todo["finished_at"] == FINISHED_AT


@pytest.mark.parametrize(
    "lacking",
    [["is_finished", "finished_at"], ["finished_at"], ["is_finished"]],
    ids=["both", "finished_at", "is_finished"],
)
async def test_fields_that_a_document_lacks_are_added(
    resources: Resources, api: Api, lacking: list[str]
):
    whole = {"content": "x", "created_at": NOW, "is_finished": False, "finished_at": None}
    await resources.todos.insert_one(
        {name: value for name, value in whole.items() if name not in lacking}
    )
    await prepare(resources.todos, owner=PUBLIC_OWNER)
    (document,) = await documents(resources)
    assert {name: document[name] for name in lacking} == {name: whole[name] for name in lacking}
    (todo,) = (await api.call("GET", "/v1/todos")).json()["items"]
    assert todo["is_finished"] is False


async def test_an_owner_of_null_is_none(resources: Resources):
    await resources.todos.insert_one({"content": "x", "created_at": NOW, "owner": None})
    assert await adopt_ownerless(resources.todos, owner=PUBLIC_OWNER) == 1
    (document,) = await documents(resources)
    assert document["owner"] == PUBLIC_OWNER


async def test_an_owner_that_looks_like_a_field_path_is_a_text(resources: Resources):
    await fill(resources, 1)
    await adopt_ownerless(resources.todos, owner="$content")
    (document,) = await documents(resources)
    assert document["owner"] == "$content"


async def test_documents_with_an_owner_are_left_alone(resources: Resources):
    await resources.todos.insert_many(
        [
            {"owner": "somebody", "content": "x", "created_at": NOW},
            {"owner": "", "content": "x", "created_at": NOW},
            {"owner": PUBLIC_OWNER, "content": "x", "created_at": NOW, "rev": 7},
        ]
    )
    before = await documents(resources)
    await fill(resources, 1)
    assert await adopt_ownerless(resources.todos, owner=PUBLIC_OWNER) == 1
    assert (await documents(resources))[:3] == before


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("count", [0, 1, SMALL_BATCH, SMALL_BATCH + 1, 5 * SMALL_BATCH])
async def test_all_are_adopted_however_many_batches_they_make(resources: Resources, count: int):
    if count:
        await fill(resources, count)
    assert await adopt_ownerless(resources.todos, owner=PUBLIC_OWNER) == count
    assert await resources.todos.count_documents({"owner": PUBLIC_OWNER, "rev": 1}) == count


@pytest.mark.usefixtures("small_batches")
async def test_adopting_again_changes_nothing(resources: Resources):
    await fill(resources, SMALL_BATCH + 1)
    await prepare(resources.todos, owner=PUBLIC_OWNER)
    before = await documents(resources)
    await prepare(resources.todos, owner=PUBLIC_OWNER)
    assert await adopt_ownerless(resources.todos, owner="somebody else") == 0
    assert await documents(resources) == before


@pytest.mark.usefixtures("small_batches")
async def test_several_processes_adopt_each_document_once(
    resources: Resources, settings: Settings, mongo_uri: str
):
    count = 20 * SMALL_BATCH
    await fill(resources, count)
    async with (
        open_resources(settings, mongo_uri=mongo_uri, redis_url=None) as second,
        open_resources(settings, mongo_uri=mongo_uri, redis_url=None) as third,
    ):
        adopted = await asyncio.gather(
            *(
                adopt_ownerless(process.todos, owner=PUBLIC_OWNER)
                for process in (resources, second, third)
            )
        )
    assert sum(adopted) == count
    assert await resources.todos.count_documents({"owner": PUBLIC_OWNER, "rev": 1}) == count


@pytest.mark.usefixtures("small_batches")
async def test_a_change_made_while_others_are_adopted_is_not_undone(resources: Resources, api: Api):
    await fill(resources, 20 * SMALL_BATCH)
    adopting = asyncio.create_task(adopt_ownerless(resources.todos, owner=PUBLIC_OWNER))
    while not (items := (await api.call("GET", "/v1/todos?limit=1")).json()["items"]):
        assert not adopting.done()
    target = f"/v1/todos/{items[0]['id']}"
    await api.call("PATCH", target, json_body={"content": "changed"})
    await adopting
    todo = (await api.call("GET", target)).json()
    assert (todo["content"], todo["rev"]) == ("changed", 2)


@pytest.mark.usefixtures("small_batches")
async def test_an_adoption_that_was_cut_off_is_completed_by_the_next(resources: Resources):
    count = 20 * SMALL_BATCH
    await fill(resources, count)
    adopting = asyncio.create_task(adopt_ownerless(resources.todos, owner=PUBLIC_OWNER))
    while not await resources.todos.find_one({"owner": PUBLIC_OWNER}):
        assert not adopting.done()
    adopting.cancel()
    await asyncio.wait([adopting])
    assert adopting.cancelled()
    await prepare(resources.todos, owner=PUBLIC_OWNER)
    assert await resources.todos.count_documents({"owner": PUBLIC_OWNER, "rev": 1}) == count
