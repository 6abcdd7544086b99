"""A file with a process id that is older than the process ends nobody else's."""

import os
import shutil
import subprocess
from pathlib import Path

import psutil
import pytest
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
