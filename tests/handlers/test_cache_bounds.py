"""What clients can make the cache cost: memory, and reads of MongoDB."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from alarm import Alarm
from api import Api
from http_client import Client, request
from many_todos import make_todos
from msgspec import structs
from other_process import Process
from profiler import name_of, profile

from app.bootstrap import Cache
from app.metrics import Metrics
from app.resources import Resources
from app.services.writing import announced
from app.settings import Settings
from app.storage.todos import MongoTodoRepository
from handlers.application import TodoApplication
from handlers.shortcut import LONGEST_TARGET, MOST_TARGETS, Shortcut

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("settled")]

READERS = 1000
CACHE_BYTES = 65_536
OPERATION_SECONDS = 1.0
MARGIN_SECONDS = 0.5
"""Less than what a second operation would take."""

without_redis = pytest.mark.parametrize("redis_url", [None])


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, cache_bytes=CACHE_BYTES)


async def finds(resources: Resources, shape: Callable[[], Awaitable[object]]) -> int:
    """Return how many times MongoDB was asked for a list of todos, by whatever process."""
    return [name_of(entry) for entry in await profile(resources, shape)].count("find")


# --- Many at once


@asynccontextmanager
async def clients(*ports: int) -> AsyncIterator[list[Client]]:
    """Connect to each port once."""
    connected = [await Client.connect(port) for port in ports]
    try:
        yield connected
    finally:
        for client in connected:
            await client.close()


async def ask_all(clients: list[Client], target: str) -> set[bytes]:
    """Ask at once and return what is answered."""
    for client in clients:
        client.send(request(target))
    answers = await asyncio.gather(*(client.receive() for client in clients))
    assert {answer.status for answer in answers} == {200}
    return {answer.body for answer in answers}


async def stampede(resources: Resources, writer: Api, *ports: int) -> None:
    """Hold that all readers of a page cost one read, when it is cold and when it has changed."""
    async with clients(*(ports * (READERS // len(ports)))) as readers:
        for number in range(3):
            await writer.add(f"todo {number}")
            bodies: set[bytes] = set()

            async def read(into: set[bytes] = bodies) -> None:
                into |= await ask_all(readers, "/v1/todos")

            assert await finds(resources, read) == 1
            (body,) = bodies
            assert f'"content":"todo {number}"'.encode() in body


async def test_a_thousand_readers_of_a_page_over_two_processes_cost_one_read(
    api: Api, other: Process, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than a busy machine may keep both processes, which are one here, from going on.
    monkeypatch.setattr("app.cache.bodies._LEASE_MILLISECONDS", 30_000)
    await stampede(resources, api, api.port, other.api.port)


@without_redis
async def test_a_thousand_readers_of_a_page_cost_one_read_without_redis(
    api: Api, resources: Resources
) -> None:
    await stampede(resources, api, api.port)


async def test_while_somebody_writes_a_thousand_readers_share_a_few_reads(
    api: Api, other: Process, resources: Resources, cache: Cache
) -> None:
    await cache.stamps.mark(["public"])
    ports = (api.port, other.api.port) * (READERS // 2)
    async with clients(*ports) as readers:
        assert await finds(resources, lambda: ask_all(readers, "/v1/todos")) < READERS / 10


# --- Junk


async def test_junk_grows_nothing(api: Api, app: TodoApplication, cache: Cache) -> None:
    await api.add()
    await api.call("GET", "/v1/todos")
    await api.call("GET", "/todo")
    known, held = dict(app.shortcut._known), cache.reads._answers.held_bytes
    for number in range(20):
        for junk in (
            f"/v1/todos/junk{number}",
            f"/v1/todos/{number:024X}A",
            f"/v1/todos/$gt{number}",
            f"/v1/todos?limit={1000 + number}",
            f"/v1/todos?cursor=junk{number}",
            f"/v1/todos?nonsense={number}",
            f"/todo?start={99_999_999 + number}",
            f"/todo/{number}",
            f"/nowhere/{number}",
        ):
            assert (await api.call("GET", junk)).status >= 400
    assert app.shortcut._known == known
    assert cache.reads._answers.held_bytes == held


async def ask_for_nothing(api: Api, first: int, count: int) -> None:
    for number in range(first, first + count):
        assert (await api.call("GET", f"/v1/todos/{number:024x}")).status == 404


async def test_ids_that_name_nothing_cost_one_look_however_many_there_are(
    api: Api, app: TodoApplication, cache: Cache, resources: Resources
) -> None:
    await api.add()
    # The todo, and the ids below and above it.
    assert await finds(resources, lambda: ask_for_nothing(api, 0, 1)) == 3
    held = cache.reads._answers.held_bytes
    assert await finds(resources, lambda: ask_for_nothing(api, 1, 100)) == 0
    assert cache.reads._answers.held_bytes == held
    assert not app.shortcut._known


async def test_an_id_that_named_nothing_is_found_when_a_todo_has_it(
    api: Api, other: Process, repository: MongoTodoRepository, cache: Cache
) -> None:
    await ask_for_nothing(api, 0, 2)
    todo = structs.replace(make_todos("public")[0], id=f"{1:024x}")
    async with announced(cache.stamps, ("public",)):
        await repository.add_many([todo])
    assert (await api.call("GET", f"/v1/todos/{1:024x}")).status == 200
    assert (await api.call("GET", f"/v1/todos/{2:024x}")).status == 404


async def test_ids_that_name_nothing_take_no_more_than_the_budget_while_others_write(
    api: Api, app: TodoApplication, cache: Cache
) -> None:
    for number in range(50):
        await ask_for_nothing(api, number, 1)
        await api.add()
    assert cache.reads._answers.held_bytes <= CACHE_BYTES
    assert not app.shortcut._known


async def test_starts_beyond_the_end_of_a_list_cost_one_read_however_many_there_are(
    api: Api, resources: Resources
) -> None:
    await api.add()

    async def ask() -> None:
        for start in range(100, 200):
            assert (await api.call("GET", f"/todo?start={start}")).json() == {"data": []}

    assert await finds(resources, ask) == 1


async def test_a_target_that_means_the_same_as_another_costs_no_read_and_no_second_body(
    api: Api, cache: Cache, resources: Resources
) -> None:
    await api.call("GET", "/todo")
    held = cache.reads._answers.held_bytes

    async def ask() -> None:
        for number in range(20):
            assert (await api.call("GET", f"/todo?start=nonsense{number}")).status == 200

    assert await finds(resources, ask) == 0
    assert cache.reads._answers.held_bytes == held


async def test_a_target_that_is_too_long_is_answered_and_not_remembered(
    api: Api, app: TodoApplication, cache: Cache
) -> None:
    room = LONGEST_TARGET - len("/todo?x=")
    held = None
    for length, is_known in ((room, True), (room + 1, False), (5000, False)):
        target = f"/todo?x={'a' * length}"
        for _ in range(2):
            assert (await api.call("GET", target)).status == 200
        assert (target in app.shortcut._known) is is_known
        held = held or cache.reads._answers.held_bytes
        assert cache.reads._answers.held_bytes == held


async def test_of_many_targets_those_that_were_asked_for_last_are_known(
    cache: Cache, metrics: Metrics
) -> None:
    shortcut = Shortcut(cache.reads, metrics, retry_after_seconds=1)
    for number in range(3 * MOST_TARGETS):
        shortcut.remember(f"/{number}", "/todo", None)  # type: ignore[arg-type]
    assert list(shortcut._known) == [f"/{2 * MOST_TARGETS + at}" for at in range(MOST_TARGETS)]


async def test_a_target_that_is_asked_for_again_and_again_stays_known(
    api: Api, app: TodoApplication
) -> None:
    await api.call("GET", "/todo")
    for number in range(2 * MOST_TARGETS):
        app.shortcut.remember(f"/{number}", "/todo", None)  # type: ignore[arg-type]
        if number % (MOST_TARGETS // 2) == 0:
            assert "/todo" in app.shortcut._known
            await api.call("GET", "/todo")


async def test_pages_never_take_more_than_the_budget(api: Api, cache: Cache) -> None:
    for number in range(12):
        await api.add(f"{number}" * 2000)
    for limit in range(1, 30):
        await api.call("GET", f"/v1/todos?limit={limit}")
        await api.call("GET", f"/todo?start={limit}")
        assert cache.reads._answers.held_bytes <= CACHE_BYTES


# --- A database that hangs


@pytest.fixture
def slow_settings(settings: Settings) -> Settings:
    return replace(settings, mongo_pool_size=1, mongo_operation_seconds=OPERATION_SECONDS)


@asynccontextmanager
async def hanging(repository: MongoTodoRepository) -> AsyncIterator[None]:
    """Hold the only connection to MongoDB."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    holding = asyncio.create_task(repository._operations.run("hold", lambda: ended))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        ended.set_result(None)
        await asyncio.gather(holding, return_exceptions=True)


class TestHangingDatabase:
    @pytest.fixture
    def settings(self, slow_settings: Settings) -> Settings:
        return slow_settings

    @pytest.mark.parametrize("is_known", [False, True])
    async def test_a_reader_is_told_within_the_deadline_of_one_operation(
        self,
        api: Api,
        repository: MongoTodoRepository,
        expect_log: Callable[[str], None],
        *,
        is_known: bool,
    ) -> None:
        expect_log("answering 503")
        if is_known:
            await api.call("GET", "/v1/todos")
            await api.add()
        async with hanging(repository):
            alarm = Alarm(OPERATION_SECONDS + MARGIN_SECONDS)
            assert (await api.call("GET", "/v1/todos")).status == 503
            assert not alarm.has_rung
