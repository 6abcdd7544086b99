"""The cache through the running service: what costs MongoDB a read, and what does not."""

from dataclasses import replace
from urllib.parse import urlencode

import pytest
from api import Answer, Api
from other_process import Process

from app.bootstrap import Cache
from app.metrics import Metrics
from app.resources import Resources
from app.settings import Settings

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("settled")]

UNKNOWN = "/v1/todos/0123456789abcdef01234567"
LISTS = ("/todo", "/v1/todos", "/v1/todos?limit=1", "/v1/todos?is_finished=true")

without_redis = pytest.mark.parametrize("redis_url", [None])


def asked(metrics: Metrics) -> int:
    """Return how many operations MongoDB was asked for."""
    name = "db_client_operation_duration_seconds_count"
    counts = [line for line in metrics.render().decode().splitlines() if line.startswith(name)]
    return sum(int(float(line.rpartition(" ")[2])) for line in counts)


# --- Each level


@pytest.mark.parametrize("target", [*LISTS, "{todo}", UNKNOWN])
async def test_what_was_read_is_read_from_nowhere_else_until_something_changes(
    api: Api, metrics: Metrics, target: str
) -> None:
    target = target.format(todo=f"/v1/todos/{(await api.add())['id']}")
    first = await api.call("GET", target)
    before = asked(metrics)
    later = [await api.call(method, target) for method in ("GET", "HEAD", "GET", "GET")]
    assert {answer.status for answer in later} == {first.status}
    assert asked(metrics) == before
    await api.add()
    before = asked(metrics)
    await api.call("GET", target)
    # For what is missing, the ids beside it are read as well.
    assert asked(metrics) == before + (2 if first.status == 404 else 1)


async def test_what_one_process_has_read_another_need_not(api: Api, other: Process) -> None:
    todo = f"/v1/todos/{(await api.add())['id']}"
    before = asked(other.metrics)
    for target in (*LISTS, todo, UNKNOWN):
        read = await api.call("GET", target)
        found = await other.api.call("GET", target)
        assert (found.status, found.headers.get("ETag")) == (read.status, read.headers.get("ETag"))
    assert asked(other.metrics) == before


async def test_redis_may_lose_all_bodies_and_nobody_notices(
    api: Api, other: Process, resources: Resources
) -> None:
    todo = await api.add()
    await api.call("GET", "/v1/todos")
    assert resources.redis is not None
    for key in await resources.redis.call("KEYS", f"{resources.redis.prefix}b1:*"):
        await resources.redis.call("DEL", key)
    answer = await other.api.call("GET", "/v1/todos")
    assert answer.json()["items"] == [todo]


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """Return the settings with what the test asks for by ``@pytest.mark.parametrize``."""
    return replace(settings, **getattr(request, "param", {}))


@pytest.mark.parametrize("settings", [{"cache_status": True}], indirect=True)
async def test_where_an_answer_was_found_is_told_to_who_sets_up_that(
    api: Api, other: Process, cache: Cache
) -> None:
    async def told(api: Api) -> str:
        return (await api.call("GET", "/v1/todos")).headers["Cache-Status"]

    found = [await told(one) for one in (api, api, other.api, other.api)]
    await cache.stamps.mark(["public"])
    found.append(await told(api))
    assert found == [
        "todo; fwd=miss; stored",
        "todo; hit; detail=process",
        "todo; hit; detail=redis",
        "todo; hit; detail=process",
        "todo; fwd=bypass",
    ]


# --- Coherence


async def change_all_ways(first: Api, second: Api) -> None:
    """Change through one process and hold what another reads against each change."""

    async def read(target: str) -> Answer:
        # Through the one that wrote, the one that did not, and by the shortcut of each.
        one, *others = [await api.call("GET", target) for api in (second, first, second, first)]
        assert {answer.body for answer in others if answer.status == 200} <= {one.body}
        assert {answer.status for answer in others} == {one.status}
        return one

    async def listed() -> list[list[str]]:
        pages = [(await read(target)).json() for target in LISTS]
        return [[todo["content"] for todo in page.get("items", page.get("data"))] for page in pages]

    assert await listed() == [[]] * 4
    todo = await first.add("a")
    item = f"/v1/todos/{todo['id']}"
    assert await listed() == [["a"], ["a"], ["a"], []]
    assert (await read(item)).json() == todo
    changed = await first.call("PATCH", item, json_body={"content": "b"})
    assert (await read(item)).json() == changed.json()
    assert await listed() == [["b"], ["b"], ["b"], []]
    await first.call("PUT", f"/todo/{todo['id']}/finish")
    assert (await read(item)).json()["is_finished"]
    assert await listed() == [["b"]] * 4
    await first.call("POST", "/todo", form=urlencode({"content": "c"}))
    assert (await listed())[3] == ["b"]
    assert sorted((await listed())[0]) == ["b", "c"]
    await first.call("DELETE", item)
    assert (await read(item)).status == 404
    assert await listed() == [["c"], ["c"], ["c"], []]


async def test_every_change_through_one_process_is_seen_by_the_next_read_through_another(
    api: Api, other: Process
) -> None:
    await change_all_ways(api, other.api)


@without_redis
async def test_every_change_is_seen_by_the_next_read_without_redis(api: Api) -> None:
    await change_all_ways(api, api)
