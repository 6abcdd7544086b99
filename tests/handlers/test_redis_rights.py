"""A user of Redis with the rights that the documentation lists, and no others."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from api import Api
from own_redis import OwnRedis
from service import ROOT

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("settled")]

PASSWORD = "secret"
DATABASE = 3


@pytest.fixture
def operator(tmp_path: Path) -> Iterator["redis.Redis[bytes]"]:
    """Somebody who may do everything in a Redis of the test's own."""
    own_redis = OwnRedis(tmp_path)
    try:
        own_redis.start()
        with redis.Redis.from_url(f"{own_redis.url}?db={DATABASE}") as client:
            yield client
    finally:
        own_redis.kill()


@pytest.fixture
def redis_url(operator: "redis.Redis[bytes]", tmp_path: Path) -> str:
    text = (ROOT / "docs/operations.md").read_text("utf-8")
    found = re.search(r"^ACL SETUSER todo .*$", text, re.MULTILINE)
    assert found is not None
    operator.execute_command(*found[0].replace("PASSWORD", PASSWORD).split(), "+select")
    return f"unix://todo:{PASSWORD}@{tmp_path}/redis.sock?db={DATABASE}"


async def test_a_user_with_the_rights_in_the_documentation_will_do(
    api: Api, operator: "redis.Redis[bytes]"
) -> None:
    assert (await api.call("GET", "/readyz")).json()["status"] == "pass"
    todo = await api.add("x")
    for _ in range(3):  # From MongoDB, where the first leaves it, and from the process.
        assert (await api.call("GET", "/v1/todos")).json()["items"] == [todo]
    kept = [key for key in operator.keys("todo:*") if b":b1:" in key]
    assert kept
    assert {entry["object"] for entry in operator.acl_log()} <= {"client", "client|setname"}
