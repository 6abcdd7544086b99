"""The scripts in Redis do what `app.cache.scope` says, in any order.

They are held against the Redis of the simulator, which says it by calling `app.cache.scope`.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from simulated_redis import RedisScripts

from app.cache.redis_scripts import CLAIM, DONE, MARK, OPEN

_NEVER = 1_000_000_000
_AT_ONCE = -1000
"""Milliseconds: a deadline that is past already, whatever the two clocks say."""

_WRITES = st.sampled_from(["write 1", "write 2", "write 3"])
_STAMPS = st.sampled_from(["stamp 1", "stamp 2"])
_MILLISECONDS = st.sampled_from([_AT_ONCE, _AT_ONCE, _NEVER])
_TIMES = st.integers(0, 2**64 - 1).map("{:020}".format)
_SCOPES = st.sampled_from(["a", "b"])

Step = tuple[str, str, tuple[Any, ...]]

STEPS: SearchStrategy[Step] = st.one_of(
    st.tuples(st.just(MARK), _SCOPES, st.tuples(_WRITES, _MILLISECONDS)),
    st.tuples(st.just(OPEN), _SCOPES, st.tuples(_STAMPS, _MILLISECONDS)),
    st.tuples(st.just(DONE), _SCOPES, st.tuples(_STAMPS, _MILLISECONDS, _WRITES, _TIMES)),
    st.tuples(st.just(CLAIM), _SCOPES, st.tuples(st.just("process"), st.just(_NEVER))),
    st.tuples(st.just("SET"), _SCOPES, st.just(())),
    st.tuples(st.just("DEL"), _SCOPES, st.just(())),
    st.tuples(st.just("MGET"), _SCOPES, st.just(())),
    st.tuples(st.just("FLUSH"), _SCOPES, st.just(())),
)


class Scripts:
    """The scripts in a real Redis, under keys of one example's own."""

    def __init__(self, client: "redis.Redis[bytes]", prefix: str) -> None:
        self.client = client
        self.prefix = prefix

    def execute(self, name: str, keys: tuple[str, ...], arguments: tuple[Any, ...]) -> Any:
        if name in {"MGET", "SET", "DEL"}:
            answer = self.client.execute_command(name, *keys)
            return answer if name == "MGET" else None
        return self.client.eval(name, len(keys), *keys, *arguments)


def keys_of(name: str, scope: str, prefix: str) -> tuple[str, ...]:
    stamp, marks = f"{prefix}s:{scope}", f"{prefix}w:{scope}"
    body, lease, time = f"{prefix}b:{scope}", f"{prefix}l:{scope}", f"{prefix}t"
    return {
        CLAIM: (body, lease, time),
        "SET": (body, "a body", "PX", "1000000"),
        "DEL": (lease,),
        "MGET": (stamp,),
    }.get(name, (stamp, marks, f"{prefix}born", time))


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis[bytes]"]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


_numbers = iter(range(10**9))


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, max_size=25))
def test_the_scripts_do_what_the_scope_says(client: "redis.Redis[bytes]", steps: list[Step]):
    prefix = f"scripts:{next(_numbers)}:"
    real, model = Scripts(client, prefix), RedisScripts(lambda: 0)
    for name, scope, arguments in steps:
        if name == "FLUSH":
            forget(client, prefix)
            model = RedisScripts(lambda: 0)
            continue
        keys = keys_of(name, scope, prefix)
        expected = model.execute(name, keys, arguments)
        assert plain(real.execute(name, keys, arguments)) == plain(expected)
        assert state_in(client, prefix) == state_of(model)
    forget(client, prefix)


def plain(answer: Any) -> Any:
    if isinstance(answer, list):
        return [plain(each) for each in answer]
    return answer.decode() if isinstance(answer, bytes) else answer


def state_in(client: "redis.Redis[bytes]", prefix: str) -> dict[str, Any]:
    """Return all keys, marks without the times, and whether each may be evicted."""
    state: dict[str, Any] = {}
    for key in client.keys(f"{prefix}*"):
        value = client.hkeys(key) if client.type(key) == b"hash" else [client.get(key)]
        if not key.endswith(b":born"):
            state[key.decode()] = sorted(plain(value)), client.ttl(key) >= 0
    return state


def state_of(model: RedisScripts) -> dict[str, Any]:
    return {
        key: (sorted(value) if isinstance(value, dict) else [plain(value)], key in model.deadlines)
        for key, value in model.data.items()
        if not key.endswith(":born")
    }


def forget(client: "redis.Redis[bytes]", prefix: str) -> None:
    for key in client.keys(f"{prefix}*"):
        client.delete(key)
