"""Servers that cannot be had: one sentence says why and what to do."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest
from embedded_users import eventually, running_in, sentence_of, wait_until_gone

from app.embedded import join


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


def test_a_full_disk_is_called_so(data_dir, monkeypatch):
    monkeypatch.setattr(join, "LEAST_FREE_BYTES", 1 << 62)
    assert "is full" in sentence_of(data_dir)


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
