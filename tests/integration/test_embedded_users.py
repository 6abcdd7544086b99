"""The servers of a data directory live exactly as long as somebody uses them."""

import json

import psutil
from embedded_users import eventually, read_notes, running_in, wait_until_gone


def test_a_second_user_keeps_the_servers_alive_when_the_first_leaves(user, data_dir):
    first, second = user(), user()
    first.answer()
    uri = second.answer()["mongo_uri"]
    before = running_in(data_dir)
    first.end()
    user().answer()
    assert running_in(data_dir) == before
    assert read_notes(uri) == []


def test_the_servers_end_cleanly_with_their_last_user(user, data_dir):
    only = user()
    only.answer()
    running = running_in(data_dir)
    only.end()
    wait_until_gone(*running.all())
    assert not (data_dir / "servers.json").exists()
    last_line = (data_dir / "mongod.log").read_text().splitlines()[-1]
    assert json.loads(last_line)["attr"] == {"exitCode": 0}


def test_whoever_comes_while_the_servers_stop_gets_new_ones(user, data_dir):
    first = user()
    first.answer()
    running = running_in(data_dir)
    running.mongod.suspend()
    first.end()
    eventually(lambda: not (data_dir / "servers.json").exists(), "the keeper to stop the servers")
    second = user()
    running.mongod.resume()
    answer = second.answer()
    assert read_notes(answer["mongo_uri"]) == []
    assert running_in(data_dir).keeper.pid != running.keeper.pid


def test_killing_the_last_user_ends_the_keeper_and_both_servers(user, data_dir):
    only = user()
    only.answer()
    running = running_in(data_dir)
    only.end(killed=True)
    wait_until_gone(*running.all())


def test_a_keeper_told_to_stop_amid_users_is_joined_by_nobody(user, data_dir):
    user().answer()
    running = running_in(data_dir)
    running.mongod.suspend()
    running.keeper.terminate()
    eventually(lambda: not (data_dir / "servers.json").exists(), "the keeper to stop the servers")
    second = user()
    running.mongod.resume()
    second.answer()
    assert running_in(data_dir).keeper.pid != running.keeper.pid


def test_six_users_that_race_get_one_keeper(user, data_dir):
    racing = [user() for _ in range(6)]
    answers = [one.answer() for one in racing]
    assert len({answer["description"] for answer in answers}) == 1
    keepers = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if "app.embedded.keeper" in (process.info["cmdline"] or [])
        and str(data_dir) in process.info["cmdline"]
    ]
    assert keepers == [running_in(data_dir).keeper.pid]


def test_users_that_come_and_go_in_a_hurry_always_get_servers(user, data_dir):
    for _ in range(3):
        racing = [user() for _ in range(3)]
        for one in racing:
            assert read_notes(one.answer()["mongo_uri"]) == []
            one.end()


def test_who_needs_only_redis_gets_no_mongod_and_who_comes_for_one_is_told(user, data_dir):
    first = user("redis")
    first.answer()
    assert list(json.loads((data_dir / "servers.json").read_text())) == ["redis-server"]
    assert "where no mongod runs for now" in user().answer()["error"]
    first.end()
