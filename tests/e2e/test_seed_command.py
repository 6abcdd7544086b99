"""`run.py seed`: as many made-up todos as asked for, told as it goes."""

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from processes import processes_in
from pymongo import MongoClient
from pymongo.collection import Collection
from service import DEADLINE_SECONDS, Service, run

COUNT = 10_000
NO_REDIS = "--redis-url=none"
CACHED = 'todo_cache_requests_total{level="answers",outcome="hit"}'
TOO_MANY = 16_777_217
PROGRESS = r" [1-9]\d*(\.\d+)?[kM]/"

WRONG_COUNTS = {
    "none": ("0", "must be between 1 and 16,777,216, not 0"),
    "less than none": ("-1", "must be between 1 and 16,777,216, not -1"),
    "no number": ("abc", "must be a whole number, not 'abc'"),
    "too many": (str(TOO_MANY), "must be between 1 and 16,777,216, not 16777217"),
}


def until_cached(service: Service) -> None:
    """Ask until the service answers from what it keeps; the test's deadline ends it."""
    while CACHED not in service.call("GET", "/metrics").body.decode():
        service.call("GET", "/todo")


@pytest.fixture
def todos(mongo_uri: str) -> Iterator[Collection[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        yield client.get_default_database()["todos"]


def test_it_stores_the_todos_shows_progress_and_sums_up_and_the_list_can_be_walked(
    mongo_uri: str, todos: Collection[dict[str, Any]], start: Callable[..., Service]
) -> None:
    ended = run("seed", "--count", str(COUNT), "--mongo-uri", mongo_uri, NO_REDIS, terminal=True)
    assert ended.process.returncode == 0
    (summary,) = ended.output
    assert re.fullmatch(r"stored 10,000 todos in \d+\.\d s \([\d,]+ per second\)", summary)
    assert "100%" in ended.log[-1]
    assert todos.count_documents({}) == COUNT

    service = start("--mongo-uri", mongo_uri, "--redis-url", "none")
    seen: list[str] = []
    target = "/v1/todos?limit=100"
    for _ in range(3):
        page = service.call("GET", target).json()
        seen += [todo["created_at"] for todo in page["items"]]
        target = f"/v1/todos?limit=100&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == 300
    assert seen == sorted(seen, reverse=True)


def test_no_progress_is_drawn_where_there_is_no_terminal(mongo_uri: str) -> None:
    ended = run("seed", "--count", str(COUNT), "--mongo-uri", mongo_uri, NO_REDIS)
    assert (ended.process.returncode, ended.log) == (0, [])


def test_a_service_that_runs_shows_what_it_stored_at_once(
    mongo_uri: str, redis_url: str, start: Callable[..., Service]
) -> None:
    backends = ("--mongo-uri", mongo_uri, "--redis-url", redis_url)
    # Its cache opens when the longest write is over that may have begun before its Redis.
    service = start(*backends, "--mongo-operation-seconds=0.5")
    until_cached(service)
    ended = run("seed", "--count=1", *backends)
    assert ended.process.returncode == 0
    assert len(service.call("GET", "/todo").json()["data"]) == 1


def test_it_starts_servers_of_its_own_and_leaves_none_behind(data_dir: Path) -> None:
    ended = run("seed", "--count=1", f"--data-dir={data_dir}")
    assert ended.process.returncode == 0
    assert ended.output[0].startswith("stored 1 todos in ")
    _, left = psutil.wait_procs(processes_in(data_dir), DEADLINE_SECONDS)
    assert not left


def test_with_servers_of_the_users_it_starts_none(mongo_uri: str, data_dir: Path) -> None:
    ended = run("seed", "--count=1", "--mongo-uri", mongo_uri, NO_REDIS, f"--data-dir={data_dir}")
    assert ended.process.returncode == 0
    assert not data_dir.exists()


def test_the_same_random_seed_makes_the_same_texts_again_beside_those_that_are_there(
    mongo_uri: str, todos: Collection[dict[str, Any]]
) -> None:
    seen: list[Any] = []

    def contents(random_seed: str) -> list[str]:
        ended = run(
            *("seed", "--count=100", f"--random-seed={random_seed}"),
            *(f"--mongo-uri={mongo_uri}", NO_REDIS),
        )
        assert ended.process.returncode == 0
        new = list(todos.find({"_id": {"$nin": seen}}, sort=[("created_at", 1)]))
        seen.extend(todo["_id"] for todo in new)
        return [todo["content"] for todo in new]

    first = contents("5")
    assert len(first) == 100
    assert contents("5") == first
    assert contents("6") != first
    assert todos.count_documents({}) == 300


@pytest.mark.parametrize(("count", "sentence"), WRONG_COUNTS.values(), ids=WRONG_COUNTS.keys())
def test_a_wrong_count_is_one_sentence_with_exit_code_2_and_starts_nothing(
    count: str, sentence: str, data_dir: Path
) -> None:
    ended = run("seed", f"--count={count}", f"--data-dir={data_dir}")
    assert ended.process.returncode == 2
    assert ended.output == []
    assert ended.log == [f"run.py seed: argument --count: {sentence}"]
    assert not data_dir.exists()


def test_without_a_count_it_says_what_is_missing() -> None:
    ended = run("seed")
    assert ended.process.returncode == 2
    (line,) = ended.log
    assert "--count" in line


def test_a_mongodb_that_is_away_is_one_sentence_with_exit_code_1() -> None:
    ended = run(
        "seed",
        "--count=1",
        "--mongo-uri=mongodb://127.0.0.1:1/",
        NO_REDIS,
        variables={"TODO_MONGO_OPERATION_SECONDS": "1"},
    )
    assert ended.process.returncode == 1
    assert len(ended.log) == 1
    assert ended.log[0].startswith("run.py: MongoDB does not answer: ")


def test_a_redis_that_is_away_is_not_called_mongodb(mongo_uri: str) -> None:
    ended = run(
        "seed",
        "--count=1",
        f"--mongo-uri={mongo_uri}",
        "--redis-url=redis://127.0.0.1:1",
        variables={"TODO_REDIS_WRITE_SECONDS": "0.1"},
    )
    assert ended.process.returncode == 1
    assert ended.log[-1] == "run.py: Redis does not answer"


def test_ctrl_c_in_the_middle_ends_it_and_what_is_stored_stays(
    mongo_uri: str, todos: Collection[dict[str, Any]]
) -> None:
    seeding = Service("seed", "--count", "10000000", "--mongo-uri", mongo_uri, terminal=True)
    try:
        seeding.wait_for_log(PROGRESS)
        assert seeding.stop(signal.SIGINT) == 130
    finally:
        seeding.kill()
    assert not any("Traceback" in line for line in seeding.log), seeding.log
    assert seeding.output == []
    assert 0 < todos.count_documents({}) < 10_000_000
