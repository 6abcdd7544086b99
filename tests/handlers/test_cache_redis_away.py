"""Redis dies, comes back and forgets: reads are right all the time, writes wait or say no."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import pytest
from alarm import Alarm
from api import Api
from http_serving import until
from other_process import Process
from own_redis import OwnRedis

from app.resources import Resources
from app.settings import Settings
from app.storage.todos import MongoTodoRepository

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("settled", "told")]

WRITE_SECONDS = 0.4
MARGIN_SECONDS = 0.6

WRITES = {
    "add": ("POST", "/v1/todos", {"json_body": {"content": "b"}}),
    "add in v0": ("POST", "/todo", {"form": "content=b"}),
    "change": ("PATCH", "{todo}", {"json_body": {"content": "b"}}),
    "delete": ("DELETE", "{todo}", {}),
}


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    redis = OwnRedis(tmp_path)
    try:
        redis.start()
        yield redis
    finally:
        redis.kill()


@pytest.fixture
def redis_url(own_redis: OwnRedis) -> str:
    return own_redis.url


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, redis_write_seconds=WRITE_SECONDS, mongo_pool_size=1)


@pytest.fixture
def told(expect_log: Callable[[str], None]) -> None:
    expect_log("Redis")


async def contents(api: Api) -> list[str]:
    """Return what a list shows, asked for twice: by the shortcut as well."""
    shown = [await api.call("GET", "/v1/todos") for _ in range(2)]
    first, again = ([todo["content"] for todo in page.json()["items"]] for page in shown)
    assert first == again
    return first


@asynccontextmanager
async def held(repository: MongoTodoRepository) -> AsyncIterator[None]:
    """Hold the only connection to MongoDB: a write is announced and not carried out."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    holding = asyncio.create_task(repository._operations.run("hold", lambda: ended))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        ended.set_result(None)
        await holding


@pytest.mark.parametrize(("method", "template", "body"), WRITES.values(), ids=WRITES)
async def test_without_redis_reads_go_on_and_a_write_is_refused_in_time_and_not_done(
    api: Api, own_redis: OwnRedis, method: str, template: str, body: dict[str, object]
) -> None:
    todo = f"/v1/todos/{(await api.add('a'))['id']}"
    assert await contents(api) == ["a"]
    own_redis.kill()
    assert await contents(api) == ["a"]
    started, alarm = perf_counter(), Alarm(WRITE_SECONDS + MARGIN_SECONDS)
    refused = await api.call(method, template.format(todo=todo), **body)
    assert perf_counter() - started >= WRITE_SECONDS
    assert not alarm.has_rung
    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["type"] == "/problems/storage-unavailable"
    assert refused.json()["detail"].startswith("Nothing was done")
    assert await contents(api) == ["a"]
    assert (await api.call("GET", todo)).json()["content"] == "a"


async def test_a_write_waits_for_a_redis_that_is_started_again(
    api: Api, own_redis: OwnRedis, resources: Resources
) -> None:
    own_redis.kill()
    redis = resources.redis
    assert redis is not None
    await until(lambda: not redis.is_up)
    adding = asyncio.create_task(api.add("a"))
    own_redis.start()
    await adding
    assert await contents(api) == ["a"]


async def test_a_write_whose_end_cannot_be_told_is_503_and_what_it_did_is_seen(
    api: Api,
    other: Process,
    own_redis: OwnRedis,
    resources: Resources,
    repository: MongoTodoRepository,
) -> None:
    assert await contents(api) == await contents(other.api) == []
    redis = resources.redis
    assert redis is not None
    async with held(repository):
        adding = asyncio.create_task(api.call("POST", "/v1/todos", json_body={"content": "a"}))
        await until(lambda: repository._operations._waiting == 1)
        own_redis.kill()
        await until(lambda: not redis.is_up)
    assert (await adding).status == 503
    assert await contents(api) == await contents(other.api) == ["a"]


@pytest.mark.parametrize("event", ["restart", "flush"])
async def test_what_a_redis_forgets_while_somebody_writes_misleads_nobody(
    api: Api,
    other: Process,
    own_redis: OwnRedis,
    resources: Resources,
    repository: MongoTodoRepository,
    event: str,
    unexpected_logs: list[str],
) -> None:
    redis = resources.redis
    assert redis is not None
    assert await contents(api) == await contents(other.api) == []
    async with held(repository):
        adding = asyncio.create_task(api.add("a"))
        await until(lambda: repository._operations._waiting == 1)
        if event == "restart":
            prefix = redis.prefix
            own_redis.kill()
            own_redis.start()
            await until(lambda: redis.is_up and redis.prefix != prefix)
        else:
            unexpected_logs.clear()
            await redis.call("FLUSHALL")
        assert await contents(other.api) == []
    await adding
    assert await contents(api) == await contents(other.api) == ["a"]


async def test_the_cache_is_used_again_when_redis_is_back(
    api: Api, own_redis: OwnRedis, resources: Resources
) -> None:
    redis = resources.redis
    assert redis is not None
    prefix = redis.prefix
    own_redis.kill()
    own_redis.start()
    await until(lambda: redis.is_up and redis.prefix != prefix)
    await api.add("a")
    await redis.call("SET", f"{redis.prefix}{resources.todos.database.name}:born", 0)
    assert await contents(api) == ["a"]
    assert await redis.call("KEYS", f"{redis.prefix}b1:*") != []
