"""How the repository's client is set up: durability, deadlines, repetition."""

from dataclasses import replace
from typing import Any

import pytest
from pymongo import ReadPreference
from repository_calls import KNOWN_ID, OWNER, Repository

from app.errors import StorageUnavailable
from app.resources import Resources, open_resources
from app.settings import Settings

pytestmark = pytest.mark.gen_test


async def test_a_write_is_acknowledged_by_the_majority_and_in_the_journal(resources: Resources):
    assert resources.todos.write_concern.document == {"w": "majority", "j": True}


async def test_the_write_concern_is_the_one_that_was_set(settings: Settings, mongo_uri: str):
    weaker = replace(settings, mongo_write_concern="1", mongo_journal=False)
    async with open_resources(weaker, mongo_uri=mongo_uri, redis_url=None) as resources:
        assert resources.todos.write_concern.document == {"w": 1, "j": False}


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "&readPreference=secondary&readConcernLevel=local",
        "&readPreference=secondary&readPreferenceTags=dc:east&readPreferenceTags=",
        "&readPreference=nearest&maxStalenessSeconds=120",
    ],
)
async def test_reads_are_of_what_a_majority_holds_from_the_primary_whatever_the_address_asks(
    settings: Settings, mongo_uri: str, asked: str
):
    async with open_resources(settings, mongo_uri=mongo_uri + asked, redis_url=None) as resources:
        assert resources.todos.read_concern.level == "majority"
        assert resources.todos.read_preference == ReadPreference.PRIMARY
        assert resources.todos.database["keys"].read_preference == ReadPreference.PRIMARY


async def test_the_driver_gives_up_when_the_gate_does(resources: Resources, settings: Settings):
    # Or the threads of operations given up would wait on for a server that never answers.
    client = resources.todos.database.client.delegate
    assert client.options.timeout == settings.mongo_operation_seconds


async def test_a_closed_client_is_storage_unavailable(
    repository: Repository, resources: Resources, expect_log: Any
):
    expect_log("answering 503")
    resources.todos.database.client.close()
    with pytest.raises(StorageUnavailable):
        await repository.get(OWNER, KNOWN_ID)


async def test_a_living_server_answers_a_ping(repository: Repository):
    await repository.ping()


async def test_a_write_whose_connection_broke_is_repeated_by_the_driver(resources: Resources):
    # The server tells the second attempt from a second write: nothing is done twice.
    assert resources.todos.database.client.delegate.options.retry_writes
