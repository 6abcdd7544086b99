"""A MongoDB that answers and refuses: the command ends at once with a sentence for a person."""

import json

import pytest
from pymongo import MongoClient
from service import Service, run

from app.storage.indexes import INDEXES

PASSWORD = "correct-horse"
INDEX_NAMES = [str(index.document["name"]) for index in INDEXES]


def refuse_password(mongo_uri: str) -> str:
    """Return an address with a user that the server does not know."""
    return mongo_uri.replace("mongodb://", f"mongodb://somebody:{PASSWORD}@")


def sentence_of(ended: Service) -> str:
    """Return what a command that failed told the person; all else is log lines of no trouble."""
    assert ended.process.returncode == 1
    assert ended.output == []  # No banner: it has not served.
    for_machines = [line for line in ended.log if line.startswith("{")]
    assert {json.loads(line)["level"] for line in for_machines} <= {"info"}
    (sentence,) = (line for line in ended.log if line not in for_machines)
    return sentence


@pytest.fixture(params=["serve", "seed"])
def command(request: pytest.FixtureRequest) -> list[str]:
    return ["--port=0", "--redis-url=none"] if request.param == "serve" else ["seed", "--count=1"]


def test_a_wrong_password_ends_the_command_with_exit_code_1_and_one_sentence(
    command: list[str], mongo_uri: str
) -> None:
    ended = run(*command, f"--mongo-uri={refuse_password(mongo_uri)}")
    assert sentence_of(ended) == "run.py: MongoDB cannot be used: Authentication failed."
    assert not any(PASSWORD in line for line in (*ended.log, *ended.output))


@pytest.mark.parametrize("command", ["export", "statistics"])
def test_a_wrong_password_ends_a_command_that_reads_in_the_same_way(
    command: str, mongo_uri: str
) -> None:
    ended = run(command, f"--mongo-uri={refuse_password(mongo_uri)}")
    assert sentence_of(ended) == "run.py: MongoDB cannot be used: Authentication failed."


def test_more_members_than_there_are_end_the_command_with_exit_code_1_and_one_sentence(
    command: list[str], mongo_uri: str
) -> None:
    ended = run(*command, f"--mongo-uri={mongo_uri}", "--mongo-write-concern=3")
    sentence = sentence_of(ended)
    assert sentence.startswith("run.py: MongoDB cannot be used: ")
    assert "data-bearing nodes" in sentence


@pytest.mark.parametrize("name", INDEX_NAMES)
def test_an_index_that_clashes_ends_the_command_with_exit_code_1_and_names_it(
    command: list[str], mongo_uri: str, name: str
) -> None:
    with MongoClient(mongo_uri) as client:
        todos = client.get_default_database()["todos"]
        todos.create_index([("content", 1)], name=name)
        ended = run(*command, f"--mongo-uri={mongo_uri}")
        assert todos.index_information()[name]["key"] == [("content", 1)]
    sentence = sentence_of(ended)
    assert sentence.startswith("run.py: MongoDB cannot be used: ")
    assert f'name: "{name}"' in sentence
    assert "operationTime" not in sentence
