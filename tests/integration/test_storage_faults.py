"""MongoDB freezes, or dies: the API says so in time and is back by itself, with all it promised."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from urllib.parse import quote

import pytest
from alarm import Alarm
from api import Answer, Api
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from app.embedded.binaries import MONGOD, find_binary
from app.settings import Settings

pytestmark = pytest.mark.gen_test

OPERATION_SECONDS = 2.0
CONNECT_SECONDS = 1.0
READY_SECONDS = 1.0
MARGIN_SECONDS = 1.0
"""What an answer may take beyond the deadline of the operation behind it."""
BACK_SECONDS = 120.0
"""mongod recovers its journal and elects itself in about two; the driver looks every half."""
ALREADY_INITIALIZED = 23


class OwnMongod:
    """A mongod that a test may freeze and kill."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        socket = quote(str(directory / "mongod.sock"), safe="")
        self.uri = f"mongodb://{socket}/todo?directConnection=true"

    def start(self) -> None:
        """Start it, or start it again on the same data, and wait until it takes writes."""
        (self._directory / "data").mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [
                *(find_binary(MONGOD), "--dbpath", "data", "--replSet", "faults"),
                *("--bind_ip", "./mongod.sock", "--port", "27017", "--nounixsocket"),
                *("--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "16", "--noscripting"),
                *("--setParameter", "diagnosticDataCollectionEnabled=false"),
                *("--logpath", "log", "--logappend"),
            ],
            cwd=self._directory,
            stdout=subprocess.DEVNULL,
        )
        members = [{"_id": 0, "host": "./mongod.sock"}]
        with MongoClient(self.uri, serverSelectionTimeoutMS=30_000) as client:
            try:
                client.admin.command("replSetInitiate", {"_id": "faults", "members": members})
            except OperationFailure as error:
                if error.code != ALREADY_INITIALIZED:
                    raise
            while not client.admin.command("hello")["isWritablePrimary"]:
                assert self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, frozen or not."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture(scope="module")
def own_mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnMongod]:
    mongod = OwnMongod(tmp_path_factory.mktemp("mongod"))
    try:
        mongod.start()
        yield mongod
    finally:
        mongod.kill()


@pytest.fixture
def mongo_uri(own_mongod: OwnMongod) -> Iterator[str]:
    yield own_mongod.uri
    with MongoClient(own_mongod.uri) as client:
        client.drop_database("todo")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(
        settings,
        mongo_operation_seconds=OPERATION_SECONDS,
        mongo_connect_seconds=CONNECT_SECONDS,
        ready_timeout_seconds=READY_SECONDS,
    )


@asynccontextmanager
async def frozen(mongod: OwnMongod) -> AsyncIterator[None]:
    mongod.send(signal.SIGSTOP)
    try:
        yield
    finally:
        mongod.send(signal.SIGCONT)


async def until_back(api: Api) -> Answer:
    """Ask until the list is answered; 503 is all it may say before."""
    give_up_at = perf_counter() + BACK_SECONDS
    while (answer := await api.call("GET", "/v1/todos?limit=100")).status != 200:
        assert answer.status == 503
        assert perf_counter() < give_up_at
    return answer


def contents(answer: Answer) -> set[str]:
    return {todo["content"] for todo in answer.json()["items"]}


REQUESTS: dict[str, Callable[[Api, str], Awaitable[Answer]]] = {
    "list": lambda api, _: api.call("GET", "/v1/todos"),
    "read": lambda api, todo: api.call("GET", todo),
    "add": lambda api, _: api.call("POST", "/v1/todos", json_body={"content": "x"}),
    "change": lambda api, todo: api.call("PATCH", todo, json_body={"content": "x"}),
    "delete": lambda api, todo: api.call("DELETE", todo),
    "list of the first version": lambda api, _: api.call("GET", "/todo"),
    "add in the first version": lambda api, _: api.call("POST", "/todo", form="content=x"),
}


async def test_a_frozen_database_is_told_as_503_within_the_deadline_and_forgotten_after(
    api: Api, own_mongod: OwnMongod, expect_log: Callable[[str], None]
):
    expect_log("answering 503")
    todo = f"/v1/todos/{(await api.add())['id']}"
    async with frozen(own_mongod):
        alarm = Alarm(OPERATION_SECONDS + MARGIN_SECONDS)
        told = await asyncio.gather(*(ask(api, todo) for ask in REQUESTS.values()))
        assert not alarm.has_rung
    for answer in told:
        assert answer.status == 503
        assert answer.json()["type"] == "/problems/storage-unavailable"
        assert int(answer.headers["Retry-After"]) >= 1
    await until_back(api)
    assert (await api.call("POST", "/v1/todos", json_body={"content": "x"})).status == 201


async def test_a_process_whose_database_is_frozen_is_alive_and_not_ready(
    api: Api, own_mongod: OwnMongod, expect_log: Callable[[str], None]
):
    expect_log("answering 503")
    expect_log("mongodb is not well: ")
    assert (await api.call("GET", "/readyz")).status == 200
    async with frozen(own_mongod):
        waiting = asyncio.gather(*(api.call("GET", "/v1/todos") for _ in range(5)))
        alarm = Alarm(READY_SECONDS)
        live = await api.call("GET", "/livez")
        assert not alarm.has_rung
        ready = await api.call("GET", "/readyz")
        assert not waiting.done()  # They have longer.
        await waiting
    assert (live.status, ready.status) == (200, 503)
    assert ready.json()["checks"]["mongodb:responseTime"][0]["status"] == "fail"
    await until_back(api)
    assert (await api.call("GET", "/readyz")).status == 200


async def test_more_requests_than_connections_are_all_told_in_time(
    api: Api, settings: Settings, own_mongod: OwnMongod, expect_log: Callable[[str], None]
):
    expect_log("answering 503")
    count = settings.mongo_pool_size + 20
    clients = [Api(api.port) for _ in range(count)]
    try:
        async with frozen(own_mongod):
            alarm = Alarm(OPERATION_SECONDS + MARGIN_SECONDS)
            told = await asyncio.gather(*(client.call("GET", "/v1/todos") for client in clients))
            assert not alarm.has_rung
    finally:
        for client in clients:
            client.close()
    assert {answer.status for answer in told} == {503}
    await until_back(api)


async def test_every_acknowledged_todo_outlives_a_killed_database(
    api: Api, own_mongod: OwnMongod, expect_log: Callable[[str], None]
):
    expect_log("answering 503")
    expect_log("mongodb is not well: ")
    acknowledged: set[str] = set()
    refused = asyncio.Event()
    enough = asyncio.Event()

    async def write() -> None:
        for number in range(90):
            answer = await api.call("POST", "/v1/todos", json_body={"content": f"todo {number}"})
            if answer.status != 201:
                assert answer.status == 503
                refused.set()
                return
            acknowledged.add(f"todo {number}")
            if len(acknowledged) == 20:
                enough.set()

    writing = asyncio.create_task(write())
    await enough.wait()
    own_mongod.kill()
    await writing
    assert refused.is_set()
    assert (await api.call("GET", "/livez")).status == 200
    assert (await api.call("GET", "/readyz")).status == 503
    # In a thread: the event loop goes on answering meanwhile.
    await asyncio.get_running_loop().run_in_executor(None, own_mongod.start)
    assert acknowledged <= contents(await until_back(api))
    assert (await api.call("POST", "/v1/todos", json_body={"content": "after"})).status == 201


@pytest.mark.parametrize("request_name", ["read", "add", "change"])
async def test_a_killed_database_that_is_back_at_once_is_not_noticed(
    api: Api, own_mongod: OwnMongod, request_name: str
):
    todo = f"/v1/todos/{(await api.add())['id']}"
    own_mongod.kill()
    await asyncio.get_running_loop().run_in_executor(None, own_mongod.start)
    # The pooled connections are dead; the driver repeats what it sent on a new one.
    assert (await REQUESTS[request_name](api, todo)).status in {200, 201}
