"""Before its collection is prepared the storage asks MongoDB nothing, and says so as 503."""

import socket
from collections.abc import Awaitable, Callable, Iterator

import pytest
from api import Api
from repository_calls import KNOWN_ID, NOW, OWNER, Repository
from tornado.testing import bind_unused_port

from app.domain.page import TodoQuery
from app.domain.todo import UNCONDITIONAL, TodoChanges, TodoDraft, new_todo
from app.errors import StorageUnavailable
from app.settings import Settings

pytestmark = pytest.mark.gen_test

TODO = new_todo(TodoDraft("x"), todo_id=KNOWN_ID, owner=OWNER, now=NOW)
CALLS: dict[str, Callable[[Repository], Awaitable[object]]] = {
    "add_each": lambda repository: repository.add_each([TODO]),
    "add_many": lambda repository: repository.add_many([]),
    "get": lambda repository: repository.get(OWNER, KNOWN_ID),
    "list": lambda repository: repository.list(TodoQuery(owner=OWNER, limit=9)),
    "list_chosen": lambda repository: repository.list_chosen(
        lambda: TodoQuery(owner=OWNER, limit=9)
    ),
    "neighbours": lambda repository: repository.neighbours(OWNER, KNOWN_ID),
    "update": lambda repository: repository.update(
        OWNER, KNOWN_ID, TodoChanges(), condition=UNCONDITIONAL, now=NOW
    ),
    "delete": lambda repository: repository.delete(OWNER, KNOWN_ID, condition=UNCONDITIONAL),
    "ping": lambda repository: repository.ping(),
}
REQUESTS = [
    ("GET", "/v1/todos", None),
    ("GET", "/v1/todos?cursor=AA", None),
    ("POST", "/v1/todos", {"content": "x"}),
    ("GET", f"/v1/todos/{KNOWN_ID}", None),
    ("PATCH", f"/v1/todos/{KNOWN_ID}", {"content": "x"}),
    ("DELETE", f"/v1/todos/{KNOWN_ID}", None),
    ("GET", "/todo", None),
    ("PUT", f"/todo/{KNOWN_ID}/finish", None),
    ("DELETE", f"/todo/{KNOWN_ID}", None),
]


@pytest.fixture
def is_prepared() -> bool:
    return False


@pytest.fixture
def nobody() -> Iterator[socket.socket]:
    """A socket in the place of MongoDB, on which nobody may call."""
    listening, _ = bind_unused_port()
    yield listening
    with listening, pytest.raises(BlockingIOError):
        listening.accept()


@pytest.fixture
def mongo_uri(nobody: socket.socket) -> str:
    return f"mongodb://127.0.0.1:{nobody.getsockname()[1]}/todo?directConnection=true"


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_every_method_is_storage_unavailable_and_sends_nothing(
    repository: Repository, call: Callable[[Repository], Awaitable[object]]
):
    with pytest.raises(StorageUnavailable, match="indexes are not in place"):
        await call(repository)


def test_the_methods_are_all_that_there_are():
    methods = {name for name in vars(Repository) if not name.startswith("_")}
    assert methods - {"prepare", "new_id", "cursors"} == CALLS.keys()


@pytest.mark.parametrize(
    ("method", "target", "body"), REQUESTS, ids=[f"{row[0]} {row[1]}" for row in REQUESTS]
)
async def test_every_request_for_todos_is_503_with_a_time_to_come_back(
    api: Api, settings: Settings, method: str, target: str, body: object
):
    answer = await api.call(method, target, json_body=body)
    assert (answer.status, answer.json()["type"]) == (503, "/problems/storage-unavailable")
    assert answer.headers["Retry-After"] == str(settings.retry_after_seconds)
