"""MongoDB's user loses rights while the service runs: 503, told once, and well again by itself."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from api import Api
from rights_mongod import RightsMongod

from app.domain.todo import PUBLIC_OWNER
from app.settings import Settings
from app.storage.todos import MongoTodoRepository

pytestmark = pytest.mark.gen_test

ExpectLog = Callable[[str], None]
POLL_SECONDS = 0.05
MAY_DO_ALL = "readWriteAnyDatabase"


@pytest.fixture(scope="module")
def mongod() -> Iterator[RightsMongod]:
    # Not tmp_path: the path of a Unix socket has 107 bytes at most (unix(7)).
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        mongod = RightsMongod(Path(folder))
        mongod.start()
        yield mongod
        mongod.kill()


@pytest.fixture
def user(mongod: RightsMongod) -> str:
    name = f"user{uuid4().hex}"
    mongod.make_user(name, MAY_DO_ALL)
    return name


@pytest.fixture
def settings(settings: Settings) -> Settings:
    # The driver goes on trying for so long.
    return replace(settings, mongo_operation_seconds=2.0)


@pytest.fixture
def mongo_uri(mongod: RightsMongod, user: str) -> str:
    return mongod.uri(user, user)


def drop_user(mongod: RightsMongod, user: str) -> None:
    mongod.command("dropUser", user)


def take_everything(mongod: RightsMongod, user: str) -> None:
    mongod.command("updateUser", user, roles=[])


def leave_reading(mongod: RightsMongod, user: str) -> None:
    mongod.command("updateUser", user, roles=["readAnyDatabase"])


def make_again(mongod: RightsMongod, user: str) -> None:
    mongod.make_user(user, MAY_DO_ALL)


def give_everything(mongod: RightsMongod, user: str) -> None:
    mongod.command("updateUser", user, roles=[MAY_DO_ALL])


Change = Callable[[RightsMongod, str], None]

LOSSES = pytest.mark.parametrize(
    ("lose", "regain"),
    [
        pytest.param(drop_user, make_again, id="user dropped"),
        pytest.param(take_everything, give_everything, id="all rights taken"),
        pytest.param(leave_reading, give_everything, id="read-only"),
    ],
)


async def statuses(api: Api) -> list[tuple[int, str]]:
    """Write on both roads; return what was answered."""
    a_todo = {"json_body": {"content": "x"}}
    answers = [
        await api.call("POST", "/v1/todos", **a_todo),
        await api.call("POST", "/v1/todos?", **a_todo),
        await api.call("PATCH", "/v1/todos/0123456789abcdef01234567", json_body={"content": "y"}),
        await api.call("DELETE", "/v1/todos/0123456789abcdef01234567"),
    ]
    # Where a login fails the driver tries on until its deadline, which may come after the gate's.
    while any("start_with_sessions" in repr(task) for task in asyncio.all_tasks()):  # noqa: ASYNC110
        await asyncio.sleep(POLL_SECONDS)
    return [(answer.status, answer.json()["type"]) for answer in answers]


@LOSSES
async def test_what_mongodb_refuses_is_503_with_one_warning_and_no_stack(
    api: Api,
    mongod: RightsMongod,
    user: str,
    expect_log: ExpectLog,
    lose: Change,
    regain: Change,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expect_log("answering 503: ")
    assert (await api.call("POST", "/v1/todos", json_body={"content": "x"})).status == 201
    lose(mongod, user)
    for _ in range(3):
        assert await statuses(api) == [(503, "/problems/storage-unavailable")] * 4
    warnings = [record for record in caplog.records if record.levelname != "INFO"]
    assert [len(record.getMessage()) < 400 for record in warnings] == [True]
    assert warnings[0].exc_info is None


@LOSSES
async def test_readiness_is_about_what_requests_need_and_says_why(
    api: Api, mongod: RightsMongod, user: str, expect_log: ExpectLog, lose: Change, regain: Change
) -> None:
    expect_log("mongodb is not well: MongoDB refuses: ")
    assert (await api.call("GET", "/readyz")).status == 200
    lose(mongod, user)
    answer = await api.call("GET", "/readyz")
    (check,) = answer.json()["checks"]["mongodb:responseTime"]
    assert (answer.status, check["status"]) == (503, "fail")
    assert check["output"].startswith("MongoDB refuses: ")
    assert user not in answer.body.decode()


@LOSSES
async def test_a_service_that_may_work_again_does_so_by_itself(
    api: Api, mongod: RightsMongod, user: str, expect_log: ExpectLog, lose: Change, regain: Change
) -> None:
    expect_log("answering 503: ")
    expect_log("mongodb is not well: ")
    lose(mongod, user)
    await statuses(api)
    assert (await api.call("GET", "/readyz")).status == 503
    regain(mongod, user)
    while (await api.call("GET", "/readyz")).status != 200:  # noqa: ASYNC110 - MongoDB tells nobody.
        await asyncio.sleep(POLL_SECONDS)
    assert (await api.call("POST", "/v1/todos", json_body={"content": "y"})).status == 201


@pytest.mark.parametrize("missing", ["insert", "update", "remove", "find"])
async def test_each_right_that_requests_need_is_asked_for(
    repository: MongoTodoRepository,
    api: Api,
    mongod: RightsMongod,
    user: str,
    expect_log: ExpectLog,
    missing: str,
) -> None:
    expect_log("mongodb is not well: MongoDB refuses: ")
    actions = [each for each in ("insert", "update", "remove", "find") if each != missing]
    resource = {"db": user, "collection": "todos"}
    privileges = [{"resource": resource, "actions": actions}]
    mongod.command("createRole", f"no-{missing}-{user}", privileges=privileges, roles=[])
    mongod.command("updateUser", user, roles=[f"no-{missing}-{user}"])
    assert (await api.call("GET", "/readyz")).status == 503


async def test_a_user_with_no_more_than_the_rights_in_the_documentation_will_do(
    repository: MongoTodoRepository, api: Api, mongod: RightsMongod, user: str
) -> None:
    resource = {"db": user, "collection": ""}
    actions = ["find", "insert", "update", "remove", "createIndex"]
    privileges = [{"resource": resource, "actions": actions}]
    mongod.command("createRole", f"least-{user}", privileges=privileges, roles=[])
    mongod.command("updateUser", user, roles=[f"least-{user}"])
    await repository.prepare(owner=PUBLIC_OWNER)
    assert (await api.call("GET", "/readyz")).status == 200
    assert (await api.call("POST", "/v1/todos", json_body={"content": "x"})).status == 201
