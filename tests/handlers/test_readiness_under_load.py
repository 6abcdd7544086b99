"""A process with more to do than it can is still ready: taking it away would overload the rest."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from api import Api

from app.settings import Settings

pytestmark = pytest.mark.gen_test

CLIENTS = 5
CHECKS = 10


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, mongo_pool_size=1, mongo_waiting_limit=0)


async def test_a_process_that_refuses_requests_for_too_many_is_ready(api: Api):
    told: Counter[int] = Counter()
    enough = asyncio.Event()

    async def ask_on_and_on(limit: int) -> None:
        client = Api(api.port)
        try:
            while not enough.is_set():
                told[(await client.call("GET", f"/v1/todos?limit={limit}")).status] += 1
        finally:
            client.close()

    asking = [asyncio.create_task(ask_on_and_on(1 + number)) for number in range(CLIENTS)]
    ready = [await api.call("GET", "/readyz") for _ in range(CHECKS)]
    enough.set()
    await asyncio.gather(*asking)
    assert told.keys() == {200, 503}
    assert [answer.status for answer in ready] == [200] * CHECKS
