"""A MongoDB and a Redis with passwords and TLS: their addresses are all that it takes."""

import secrets
import ssl
import subprocess
from asyncio import open_unix_connection
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from embedded_users import eventually
from faulty_proxy import FaultyProxy
from own_redis import OwnRedis
from pymongo import MongoClient
from pymongo.errors import ConnectionFailure
from service import Service
from tornado.testing import bind_unused_port

from app.embedded.binaries import MONGOD, find_binary
from app.node.nginx import make_certificate

PASSWORD = "p@ss:w/rd?"
ESCAPED = "p%40ss%3Aw%2Frd%3F"
REDIS_IS_AWAY = "Redis is away, everything comes from MongoDB: "

Start = Callable[..., Service]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for localhost that vouches for itself."""
    make_certificate(tmp_path)
    return tmp_path / "certificate.pem"


@pytest.fixture
def secured_mongo(tmp_path: Path, certificate: Path) -> Iterator[str]:
    """Start a mongod with TLS and a user; return where it is."""
    listening, port = bind_unused_port()
    listening.close()
    both, key_file = tmp_path / "both.pem", tmp_path / "key"
    both.write_bytes(certificate.read_bytes() + (tmp_path / "certificate.key").read_bytes())
    key_file.write_text(secrets.token_hex(32))
    key_file.chmod(0o600)
    (tmp_path / "data").mkdir()
    mongod = subprocess.Popen(
        [
            *(find_binary(MONGOD), f"--dbpath={tmp_path / 'data'}", f"--port={port}"),
            *("--nounixsocket", "--replSet=secured", f"--keyFile={key_file}"),
            *("--tlsMode=requireTLS", f"--tlsCertificateKeyFile={both}"),
            *(f"--tlsCAFile={certificate}", "--tlsAllowConnectionsWithoutCertificates"),
            f"--logpath={tmp_path / 'mongod.log'}",
        ]
    )
    try:
        options = f"tls=true&tlsCAFile={certificate}"
        _make_user(f"mongodb://localhost:{port}/?directConnection=true&{options}", port)
        yield f"localhost:{port}/todo?authSource=admin&{options}"
    finally:
        mongod.kill()
        psutil.wait_procs([psutil.Process(mongod.pid)], timeout=10)
        mongod.wait()


def _make_user(uri: str, port: int) -> None:
    with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=200) as client:
        eventually(lambda: _answers(client), "an answer of mongod")
        members = [{"_id": 0, "host": f"localhost:{port}"}]
        client.admin.command("replSetInitiate", {"_id": "secured", "members": members})
        eventually(lambda: client.admin.command("hello")["isWritablePrimary"], "a primary")
        # Whoever comes from the same machine may make the first user, who makes the others.
        client.admin.command("createUser", "root", pwd=PASSWORD, roles=["root"])
    with MongoClient[dict[str, Any]](uri, username="root", password=PASSWORD) as client:
        # One who may do no more than read and write todos.
        roles = [{"role": "readWrite", "db": "todo"}]
        client.admin.command("createUser", "todo", pwd=PASSWORD, roles=roles)


def _answers(client: MongoClient[dict[str, Any]]) -> bool:
    with suppress(ConnectionFailure):
        return bool(client.admin.command("hello")["ok"])
    return False


@pytest.fixture
def secured_redis(tmp_path: Path, certificate: Path) -> Iterator[str]:
    """Start a Redis with a user behind something that ends TLS; return where it is."""
    # The packaged Redis is built without TLS; stunnel or a cloud's proxy stand before such a one.
    folder = tmp_path / "redis"
    folder.mkdir()
    redis = OwnRedis(folder)
    # The user that has no name has another password; who gives this one has to give the name too.
    user = ("--user", "todo", "on", f">{PASSWORD}", "~*", "&*", "+@all")
    redis.start("--requirepass", "other", *user)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, tmp_path / "certificate.key")
    proxy = FaultyProxy(lambda: open_unix_connection(folder / "redis.sock"), tls=context)
    proxy.start()
    yield f"localhost:{proxy.port}/0?ssl_ca_certs={certificate}"
    proxy.stop()
    redis.kill()


def statuses(service: Service) -> tuple[int, str, dict[str, str]]:
    """Return the status of the answer at /readyz, and in it that of all and of each server."""
    ready = service.call("GET", "/readyz")
    checks = ready.json()["checks"].items()
    servers = {name.partition(":")[0]: check["status"] for name, (check,) in checks}
    return ready.status, ready.json()["status"], servers


def assert_only_reads_are_answered(service: Service) -> None:
    assert service.call("GET", "/v1/todos").status == 200
    assert service.call("POST", "/v1/todos", json_body={"content": "unheard of"}).status == 503


def test_users_passwords_and_certificates_of_the_addresses_are_used(
    start: Start, secured_mongo: str, secured_redis: str
) -> None:
    service = start(
        f"--mongo-uri=mongodb://todo:{ESCAPED}@{secured_mongo}",
        f"--redis-url=rediss://todo:{ESCAPED}@{secured_redis}",
    )
    assert service.call("POST", "/v1/todos", json_body={"content": "secret"}).status == 201
    assert statuses(service) == (200, "pass", {"mongodb": "pass", "redis": "pass"})
    told = "\n".join([*service.output, *service.log])
    assert ESCAPED not in told
    assert PASSWORD not in told


def test_a_mongodb_whose_certificate_nobody_vouches_for_is_refused(
    start: Start, secured_mongo: str, secured_redis: str
) -> None:
    service = start(
        f"--mongo-uri=mongodb://todo:{ESCAPED}@{secured_mongo.partition('&tlsCAFile')[0]}",
        f"--redis-url=rediss://todo:{ESCAPED}@{secured_redis}",
    )
    service.wait_for_log("(?i)certificate.verify.failed")
    assert statuses(service) == (503, "fail", {"mongodb": "fail", "redis": "pass"})


def test_only_reads_are_answered_without_a_redis_whose_certificate_nobody_vouches_for(
    start: Start, secured_mongo: str, secured_redis: str
) -> None:
    service = start(
        f"--mongo-uri=mongodb://todo:{ESCAPED}@{secured_mongo}",
        f"--redis-url=rediss://todo:{ESCAPED}@{secured_redis.partition('?')[0]}",
    )
    service.wait_for_log(f"{REDIS_IS_AWAY}.*certificate verify failed")
    assert statuses(service) == (200, "warn", {"mongodb": "pass", "redis": "warn"})
    assert_only_reads_are_answered(service)


@pytest.mark.parametrize("user", ["todo:wrong", f":{ESCAPED}"], ids=["password", "name"])
def test_only_reads_are_answered_without_a_redis_that_does_not_let_its_user_in(
    start: Start, secured_mongo: str, secured_redis: str, user: str
) -> None:
    service = start(
        f"--mongo-uri=mongodb://todo:{ESCAPED}@{secured_mongo}",
        f"--redis-url=rediss://{user}@{secured_redis}",
    )
    service.wait_for_log(f"{REDIS_IS_AWAY}.*(WRONGPASS|invalid username-password)")
    assert statuses(service) == (200, "warn", {"mongodb": "pass", "redis": "warn"})
    assert_only_reads_are_answered(service)
