"""Keeper and servers are killed in any order: the data stays, the next user needs no human."""

import json
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from embedded_users import (
    DEADLINE_SECONDS,
    ROOT,
    Running,
    eventually,
    is_gone,
    read_notes,
    running_in,
    wait_until_gone,
    write_note,
)

from app.embedded import join, join_servers, room
from app.embedded.directory import others_with_open

IMPATIENT_KEEPER = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from app.embedded.keeper import Keeper

os.chdir(sys.argv[1])
Keeper(["mongod"], leftovers_deadline_seconds=0.1).run()
"""


def test_killing_the_keeper_ends_the_servers_and_the_next_user_finds_the_data(user, data_dir):
    write_note(user().answer()["mongo_uri"], "kept")
    running = running_in(data_dir)
    running.keeper.kill()
    wait_until_gone(*running.all())
    answer = user().answer()
    assert read_notes(answer["mongo_uri"]) == ["kept"]


def test_a_user_right_after_the_keeper_was_killed_waits_for_its_servers(user, data_dir):
    write_note(user().answer()["mongo_uri"], "kept")
    running_in(data_dir).keeper.kill()
    assert read_notes(user().answer()["mongo_uri"]) == ["kept"]


@pytest.fixture
def impatient_keeper(user, data_dir):
    """Start a keeper that soon loses patience, after one whose frozen mongod will not end."""
    write_note(user().answer()["mongo_uri"], "kept")
    running = running_in(data_dir)
    running.mongod.suspend()
    running.keeper.kill()
    wait_until_gone(running.keeper, running.redis_server)
    assert not is_gone(running.mongod)
    keepers = []

    def start() -> Running:
        keepers.append(subprocess.Popen([sys.executable, "-c", IMPATIENT_KEEPER, data_dir]))
        return running

    yield start
    for keeper in keepers:
        keeper.terminate()
        keeper.wait(DEADLINE_SECONDS)


def test_a_server_that_does_not_end_with_its_keeper_is_killed_by_the_next(
    impatient_keeper, data_dir
):
    left = impatient_keeper().mongod
    wait_until_gone(left)
    eventually(lambda: running_in(data_dir).mongod.pid != left.pid, "a new mongod")
    socket = quote(str(data_dir / "mongod.sock"), safe="")
    assert read_notes(f"mongodb://{socket}/todo?directConnection=true") == ["kept"]


def test_whoever_merely_reads_the_directory_is_not_taken_for_a_server_left(
    impatient_keeper, data_dir
):
    backup = subprocess.Popen(["tail", "-f", data_dir / "servers.lock"])
    try:
        eventually(lambda: backup.pid in others_with_open(data_dir / "servers.lock"), "the backup")
        wait_until_gone(impatient_keeper().mongod)
        assert backup.poll() is None
    finally:
        backup.kill()
        backup.wait()


def test_killing_the_user_and_the_keeper_ends_the_servers(user, data_dir):
    only = user()
    only.answer()
    running = running_in(data_dir)
    running.keeper.kill()
    only.end(killed=True)
    wait_until_gone(*running.all())


def test_killing_everything_at_once_needs_no_human(user, data_dir):
    write_note(user().answer()["mongo_uri"], "kept")
    running = running_in(data_dir)
    running.keeper.suspend()
    for process in (running.mongod, running.redis_server, running.keeper):
        process.kill()
    wait_until_gone(*running.all())
    assert (data_dir / "mongod.sock").is_socket()
    assert (data_dir / "mongo" / "mongod.lock").read_text().strip() == str(running.mongod.pid)
    answer = user().answer()
    assert read_notes(answer["mongo_uri"]) == ["kept"]


@pytest.mark.parametrize("server", ["mongod", "redis_server"])
def test_a_server_killed_while_in_use_comes_back(user, data_dir, server):
    answer = user().answer()
    before = running_in(data_dir)
    getattr(before, server).kill()

    def is_back() -> bool:
        state = json.loads((data_dir / "servers.json").read_text())
        back = state[server.replace("_", "-")]
        return back["version"] is not None and back["pid"] != getattr(before, server).pid

    eventually(is_back, "the restart")
    write_note(answer["mongo_uri"], "written after")
    with redis.Redis.from_url(answer["redis_url"]) as client:
        assert client.ping()
    assert "while in use" in (data_dir / "keeper.log").read_text()


def test_a_killed_keepers_state_is_not_believed(user, data_dir):
    before = user().answer()
    keeper = running_in(data_dir).keeper
    keeper.kill()
    wait_until_gone(keeper)
    assert (data_dir / "servers.json").exists()
    assert user().answer()["description"] != before["description"]


def test_whoever_replaces_a_keeper_has_it_start_what_others_need_too(user, data_dir, expect_log):
    other = user("mongo").answer()
    write_note(other["mongo_uri"], "kept")
    with join_servers(data_dir, need_mongo=False) as servers:
        servers.look_after()
        end_keeper(data_dir)
        servers.look_after()
        assert read_notes(other["mongo_uri"]) == ["kept"]
    expect_log("the keeper of the embedded servers had ended: another starts them")


def test_a_keeper_that_is_killed_at_once_is_replaced_at_the_first_look(data_dir, expect_log):
    with join_servers(data_dir) as servers:
        end_keeper(data_dir)
        servers.look_after()
    expect_log("the keeper of the embedded servers had ended: another starts them")


def test_a_keeper_that_cannot_be_replaced_is_tried_again_and_told_of_once(
    data_dir, monkeypatch, expect_log, caplog
):
    monkeypatch.setattr(join, "RETRY_SECONDS", 0.0)
    with join_servers(data_dir) as servers:
        servers.look_after()
        end_keeper(data_dir)
        with monkeypatch.context() as full:
            full.setattr(room, "LEAST_BYTES", 1 << 62)
            for _ in range(3):
                servers.look_after()
        servers.look_after()
        with redis.Redis.from_url(servers.redis_url) as client:
            eventually(lambda: answers(client), "Redis")
    expect_log("The embedded servers have no keeper: The disk of")
    expect_log("the keeper of the embedded servers had ended: another starts them")
    assert len(caplog.records) == 2


def test_servers_whose_directory_was_removed_end_though_their_user_does_not_see_it(user, data_dir):
    user().answer()
    running = running_in(data_dir)
    shutil.rmtree(data_dir, ignore_errors=True)  # Something may be written meanwhile.
    wait_until_gone(*running.all())


def end_keeper(data_dir: Path) -> None:
    running = running_in(data_dir)
    running.keeper.kill()
    wait_until_gone(*running.all())


def answers(client: redis.Redis) -> bool:
    with suppress(redis.ConnectionError):
        return bool(client.ping())
    return False
