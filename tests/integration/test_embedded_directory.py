"""A data directory keeps its data and its logs, wherever it lies."""

import os

import pytest
import redis
from embedded_users import eventually, read_notes, running_in, wait_until_gone, write_note

from app.embedded.server import LOG_MAX_BYTES


def test_data_survives_leaving_and_coming_back(user, data_dir):
    first = user()
    write_note(first.answer()["mongo_uri"], "kept")
    running = running_in(data_dir)
    first.end()
    wait_until_gone(*running.all())
    answer = user().answer()
    assert read_notes(answer["mongo_uri"]) == ["kept"]


def test_the_directory_can_be_moved_between_runs(user, data_dir):
    first = user()
    write_note(first.answer()["mongo_uri"], "kept")
    running = running_in(data_dir)
    first.end()
    wait_until_gone(*running.all())
    moved = data_dir.with_name("moved")
    data_dir.rename(moved)
    answer = user(at=moved).answer()
    assert read_notes(answer["mongo_uri"]) == ["kept"]
    write_note(answer["mongo_uri"], "still writable")


def test_a_path_with_odd_characters_works(user, data_dir):
    answer = user(at=data_dir.with_name("a b+c%20d#e?f@中")).answer()
    assert read_notes(answer["mongo_uri"]) == []
    with redis.Redis.from_url(answer["redis_url"]) as client:
        assert client.ping()


def test_a_path_as_long_as_a_socket_allows_works(user, tmp_path):
    room = 107 - len(os.fsencode(tmp_path / "x" / "mongod.sock")) + 1
    answer = user(at=tmp_path / ("x" * room)).answer()
    assert read_notes(answer["mongo_uri"]) == []


def test_an_old_log_is_kept_once(user, data_dir):
    for _ in range(3):
        one = user()
        one.answer()
        running = running_in(data_dir)
        for process in running.all():
            process.kill()
        wait_until_gone(*running.all())
        one.end()
    assert sorted(file.name for file in data_dir.glob("*.log*")) == sorted(
        f"{name}.log{old}" for name in ("keeper", "mongod", "redis") for old in ("", ".1")
    )


@pytest.mark.parametrize("name", ["mongod", "redis"])
def test_a_log_that_has_grown_is_put_aside_while_its_server_runs(user, data_dir, name):
    answer = user().answer()
    log = data_dir / f"{name}.log"
    os.truncate(log, LOG_MAX_BYTES + 1)
    aside = data_dir / f"{name}.log.1"
    eventually(aside.exists, "the log that is put aside")
    assert aside.stat().st_size > LOG_MAX_BYTES
    # What follows is in a new file: mongod says that it has opened it, and Redis
    # that somebody asks it to save what it has.
    with redis.Redis.from_url(answer["redis_url"]) as client:
        client.bgsave()
        eventually(lambda: log.exists() and log.stat().st_size > 0, "the new log")
        assert client.ping()
    write_note(answer["mongo_uri"], "still writable")
    assert log.stat().st_size < LOG_MAX_BYTES
