"""Without its database the service starts, says so, and heals by itself."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from socket import create_connection, create_server
from time import monotonic, sleep
from urllib.parse import quote

import pytest
from pymongo import MongoClient
from service import DEADLINE_SECONDS, Service, run
from tornado.testing import bind_unused_port

from app.embedded import EmbeddedServers, join_servers

OPERATION_SECONDS = 1.0
CONNECT_SECONDS = 0.2
MARGIN_SECONDS = 20.0
"""The driver by itself looks for a server for 30."""
AT_ONCE_SECONDS = 30.0
"""Half of what the start waits for the database."""


@pytest.fixture
def mongo_uri(data_dir: Path) -> str:
    """The address that a mongod of the data directory will have."""
    return f"mongodb://{quote(str(data_dir / 'mongod.sock'), safe='')}/todo?directConnection=true"


@pytest.fixture
def service(start: Callable[..., Service], mongo_uri: str) -> Service:
    return start(
        f"--mongo-uri={mongo_uri}",
        "--redis-url=none",
        "--mongo-connect-seconds=0.5",
        f"--mongo-operation-seconds={OPERATION_SECONDS}",
    )


def test_a_service_without_its_database_lives_but_is_not_ready(service: Service) -> None:
    service.wait_for_log("MongoDB has not answered yet: 503 until it does")
    assert service.call("GET", "/livez").status == 200
    assert service.call("GET", "/readyz").status == 503

    started = monotonic()
    answer = service.call("GET", "/v1/todos")
    assert monotonic() - started < OPERATION_SECONDS + MARGIN_SECONDS
    assert answer.status == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "1"
    assert service.stop() == 0


def test_why_a_start_waits_is_one_sentence_without_the_drivers_own_state(
    start: Callable[..., Service],
) -> None:
    service = start(
        *("--mongo-uri=mongodb://127.0.0.1:1/todo", "--redis-url=none"),
        *("--mongo-connect-seconds=0.2", "--mongo-operation-seconds=0.5"),
    )
    service.wait_for_log("MongoDB does not answer")
    (line,) = (line for line in service.log if "MongoDB does not answer" in line)
    reason = "127.0.0.1:1: [Errno 111] Connection refused"
    assert json.loads(line)["event"] == f"MongoDB does not answer ({reason}): trying on"
    assert service.stop() == 0


def test_a_process_that_others_may_stand_in_for_listens_when_its_database_is_there(
    data_dir: Path, mongo_uri: str
) -> None:
    listening, port = bind_unused_port()
    listening.close()
    starting = Service(
        *(f"--port={port}", f"--mongo-uri={mongo_uri}", "--redis-url=none"),
        *("--listen-when-ready", "--mongo-connect-seconds=0.2", "--mongo-operation-seconds=0.5"),
    )
    try:
        # Twice as long as another process takes to answer 503.
        starting.wait_for_log("MongoDB does not answer")
        sleep(2 * CONNECT_SECONDS)
        with pytest.raises(ConnectionRefusedError):
            create_connection(("127.0.0.1", port))
        assert starting.output == []
        with join_servers(data_dir, need_redis=False):
            starting.wait_for_banner()
            assert starting.call("GET", "/readyz").status == 200
            assert starting.stop() == 0
    finally:
        starting.kill()


def test_a_port_that_was_taken_meanwhile_ends_such_a_process_with_a_sentence(
    servers: EmbeddedServers,
) -> None:
    with create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(
            *(f"--port={port}", "--listen-when-ready", "--redis-url=none"),
            f"--mongo-uri={servers.mongo_uri}",
        )
    assert ended.process.returncode == 1
    assert any(f"port {port} is in use" in line for line in ended.log)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_signal_while_the_start_waits_for_the_database_ends_it_at_once_without_a_banner(
    mongo_uri: str, number: signal.Signals
) -> None:
    starting = Service(
        *("--port=0", f"--mongo-uri={mongo_uri}", "--redis-url=none"),
        *("--mongo-connect-seconds=60", "--mongo-operation-seconds=0.5"),
    )
    try:
        starting.wait_for_log("MongoDB does not answer")
        started = monotonic()
        assert starting.stop(number) == 0
        assert monotonic() - started < AT_ONCE_SECONDS
    finally:
        starting.kill()
    assert starting.output == []
    assert not any("Traceback" in line for line in starting.log), starting.log


def test_a_database_that_comes_later_is_prepared_and_used_without_a_restart(
    service: Service, data_dir: Path, mongo_uri: str
) -> None:
    assert service.call("GET", "/v1/todos").status == 503
    with join_servers(data_dir, need_redis=False) as servers:
        assert servers.mongo_uri == mongo_uri
        give_up_at = monotonic() + DEADLINE_SECONDS
        while service.call("GET", "/readyz").status != 200:
            assert monotonic() < give_up_at, service.log
            sleep(0.02)
        service.add("late, but here")
        assert service.contents() == ["late, but here"]
        with MongoClient(mongo_uri) as client:
            indexes = client["todo"]["todos"].index_information().values()
        assert [("owner", 1), ("created_at", -1), ("_id", -1)] in [i["key"] for i in indexes]
        assert service.stop() == 0
    entries = [json.loads(line) for line in service.log]
    told = [(entry["logger"], entry["level"]) for entry in entries if entry["logger"] != "access"]
    # One line when the trouble begins and one when it ends, however often it was tried between.
    assert sorted(told) == [
        ("app.cli", "info"),  # Where it listens.
        ("app.services.health", "info"),
        ("app.services.health", "warning"),
        ("app.serving", "info"),
        ("app.serving", "info"),  # That it stops.
        ("app.serving", "warning"),
    ]
