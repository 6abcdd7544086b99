"""What nginx's pid file says ends nobody else's process, and spares none of ours."""

import os
import shutil
import subprocess
from pathlib import Path

import psutil
import pytest
from node_faults import wait_for
from service import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a node's folder in which nginx ends at once, for want of a configuration."""
    for name in ("conf", "run"):
        (tmp_path / name).mkdir()
    shutil.copy(ROOT / "conf/start-nginx", tmp_path / "conf")
    return tmp_path


def start_nginx(folder: Path) -> None:
    """Run what supervisord runs."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    command = ["sh", "conf/start-nginx"]
    ended = subprocess.run(
        command, cwd=folder, env={"PATH": path}, check=False, capture_output=True, text=True
    )
    assert "conf/nginx/nginx.conf" in ended.stderr


@pytest.mark.parametrize("at", ["here", "elsewhere"])
def test_a_group_that_has_the_number_of_an_nginx_of_old_is_left_alone(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, at: str
) -> None:
    # Its leader has ended, as a killed master has; who is left belongs to somebody else, also
    # where that works in the node's own folder.
    leader = subprocess.Popen(
        ["sh", "-c", "sleep 600 & echo $!"],
        cwd=folder if at == "here" else tmp_path_factory.mktemp("elsewhere"),
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert leader.stdout is not None
    left = psutil.Process(int(leader.stdout.readline()))
    leader.stdout.close()
    leader.wait()
    try:
        (folder / "run/nginx.pid").write_text(f"{leader.pid}\n")
        start_nginx(folder)
        assert left.status() != psutil.STATUS_ZOMBIE
        assert left.is_running()
    finally:
        left.kill()


@pytest.mark.parametrize("text", ["", "nonsense\n", "-1\n", "1\n", "../self\n"])
def test_a_file_that_names_no_process_of_ours_ends_nobody(folder: Path, text: str) -> None:
    (folder / "run/nginx.pid").write_text(text)
    start_nginx(folder)


def running_nginx(folder: Path) -> tuple[psutil.Popen, list[psutil.Process]]:
    """Return an nginx that runs, and its workers; the next one finds no configuration."""
    configuration = folder / "conf/nginx/nginx.conf"
    configuration.parent.mkdir()
    configuration.write_text("daemon off; pid run/nginx.pid; error_log stderr; events {}\n")
    path = f"{os.environ['PATH']}:/usr/sbin"
    master = psutil.Popen(["sh", "conf/start-nginx"], cwd=folder, env={"PATH": path})
    wait_for(lambda: any(map(is_worker, master.children())), "nginx runs")
    configuration.unlink()
    return master, master.children()


def is_worker(process: psutil.Process) -> bool:
    return "nginx: worker" in " ".join(process.cmdline())


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("text", ["", "1\n", "the master's"])
def test_workers_whose_master_was_killed_are_ended_whatever_the_file_says(
    folder: Path, text: str
) -> None:
    master, workers = running_nginx(folder)
    master.kill()
    master.wait()
    if text != "the master's":
        (folder / "run/nginx.pid").write_text(text)
    start_nginx(folder)
    wait_for(lambda: all(map(has_ended, workers)), "the workers end")


def test_workers_whose_master_runs_are_left_alone(folder: Path) -> None:
    master, workers = running_nginx(folder)
    try:
        start_nginx(folder)
        assert not any(map(has_ended, workers))
    finally:
        master.terminate()
        master.wait()
