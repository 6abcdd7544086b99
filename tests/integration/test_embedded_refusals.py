"""Servers that cannot be had: one sentence says why and what to do."""

import fcntl
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest
from embedded_users import eventually, running_in, sentence_of, wait_until_gone

from app.embedded import join, join_servers, room
from app.embedded.binaries import MONGOD, find_binary


def test_a_path_too_long_for_a_socket_is_refused_with_how_much_to_cut(tmp_path):
    room = 107 - len(os.fsencode(tmp_path / "x" / "mongod.sock")) + 1
    sentence = sentence_of(tmp_path / ("x" * (room + 3)))
    assert "too long" in sentence
    assert "at least 3 bytes shorter" in sentence


def test_a_file_in_the_place_of_the_directory_is_named(tmp_path):
    (tmp_path / "var").touch()
    sentence = sentence_of(tmp_path / "var")
    assert str(tmp_path / "var") in sentence
    assert "Not a directory" in sentence
    assert "--data-dir" in sentence


def test_a_directory_that_cannot_be_written_is_named():
    sentence = sentence_of(Path("/proc"))
    assert "/proc" in sentence
    assert "--data-dir" in sentence


def test_another_mongod_on_the_directory_is_named_with_its_pid(user, data_dir, tmp_path):
    first = user()
    first.answer()
    running = running_in(data_dir)
    binary = running.mongod.exe()
    first.end()
    wait_until_gone(*running.all())
    command = [binary, "--dbpath", "mongo", "--bind_ip", "./foreign.sock", "--nounixsocket"]
    foreign = subprocess.Popen(
        [*command, "--logpath", "foreign.log"], cwd=data_dir, stdout=subprocess.DEVNULL
    )
    try:
        eventually((data_dir / "foreign.sock").exists, "the other mongod")
        sentence = sentence_of(data_dir)
    finally:
        foreign.kill()
        foreign.wait()
    assert f"Another mongod (pid {foreign.pid}) holds {data_dir / 'mongo'}" in sentence


def test_a_mongod_that_cannot_start_is_explained_with_its_log(data_dir):
    (data_dir / "mongo").mkdir(parents=True)
    (data_dir / "mongo" / "storage.bson").write_bytes(b"rubbish")
    sentence = sentence_of(data_dir)
    assert "mongod ended with code" in sentence
    assert str(data_dir / "mongod.log") in sentence


def test_a_disk_without_room_for_a_new_mongod_is_called_full(data_dir, monkeypatch):
    monkeypatch.setattr(room, "FIRST_BYTES", 1 << 62)
    assert "is full" in sentence_of(data_dir)


def test_a_mongod_that_has_data_asks_for_less_room(user, data_dir, monkeypatch):
    first = user()
    first.answer()
    running = running_in(data_dir)
    first.end()
    wait_until_gone(*running.all())
    monkeypatch.setattr(room, "FIRST_BYTES", 1 << 62)
    with join_servers(data_dir):
        pass


def test_another_users_directory_is_refused_with_whose_it_is(data_dir):
    # Also for root, who could use it.
    if os.geteuid() == 0:
        data_dir.mkdir()
        os.chown(data_dir, 1, -1)
    else:
        data_dir = Path("/usr")
    sentence = sentence_of(data_dir)
    assert f"{data_dir} is {pwd.getpwuid(data_dir.stat().st_uid).pw_name}'s" in sentence
    assert "--data-dir" in sentence


def put_mongod(folder: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Put a mongod before all others on PATH; `$MONGOD` is the one that would have been taken."""
    real = find_binary(MONGOD)
    folder.mkdir()
    (folder / "mongod").write_text(f"#!/bin/sh\nMONGOD='{real}'\n{command}\n")
    (folder / "mongod").chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_a_processor_without_what_mongod_needs_is_named(tmp_path, data_dir, monkeypatch):
    put_mongod(tmp_path / "bin", monkeypatch, "kill -ILL $$")
    sentence = sentence_of(data_dir)
    assert "Illegal instruction" in sentence
    assert "AVX" in sentence
    assert "--mongo-uri" in sentence


def test_a_mongod_without_enough_open_files_is_explained_by_that(tmp_path, data_dir, monkeypatch):
    put_mongod(tmp_path / "bin", monkeypatch, 'ulimit -n 20; exec "$MONGOD" "$@"')
    assert "Too many open files" in sentence_of(data_dir)


def test_a_signal_that_ended_mongod_is_named(tmp_path, data_dir, monkeypatch):
    put_mongod(tmp_path / "bin", monkeypatch, "kill -KILL $$")
    assert "mongod was ended by signal 9 (Killed) instead of starting" in sentence_of(data_dir)


def test_a_keeper_that_cannot_say_how_it_goes_is_not_waited_for(data_dir):
    # As on a disk without room for one more file.
    (data_dir / "servers.json.new" / "in the way").mkdir(parents=True)
    sentence = sentence_of(data_dir)
    shutil.rmtree(data_dir / "servers.json.new")
    assert "The keeper of the servers ended at once (IsADirectoryError" in sentence


@pytest.mark.parametrize("lock", ["keeper.lock", "users.lock"])
def test_a_frozen_keeper_holds_nobody_for_ever(data_dir, monkeypatch, lock):
    monkeypatch.setattr(join, "JOIN_DEADLINE_SECONDS", 0.2)
    data_dir.mkdir()
    # To everybody else a frozen keeper is a lock that is held and never let go.
    with (data_dir / lock).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        sentence = sentence_of(data_dir)
    assert "in vain" in sentence
    assert str(data_dir / "keeper.log") in sentence


def test_a_keeper_that_ends_at_once_is_reported_with_its_log(data_dir):
    (data_dir / "servers.lock").mkdir(parents=True)
    sentence = sentence_of(data_dir)
    (data_dir / "servers.lock").rmdir()
    assert "keeper" in sentence
    assert str(data_dir / "keeper.log") in sentence
