"""`make` installs into .venv whatever the user has told pip."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from service import ROOT

SETUP = """
[metadata]
name = tornado-todo
[options]
packages = app
[options.extras_require]
embedded =
"""
"""The project's own without its dependencies, which take a minute to fetch."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    clone = tmp_path / "clone"
    (clone / "app").mkdir(parents=True)
    (clone / "app/__init__.py").touch()
    (clone / "conf").mkdir()
    for name in ("Makefile", "pyproject.toml", "conf/constraints.txt"):
        shutil.copyfile(ROOT / name, clone / name)
    (clone / "setup.cfg").write_text(SETUP, encoding="utf-8")
    return clone


def test_pip_installs_into_the_environment_whatever_its_variables_say(
    clone: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    # `make test` runs this, and a make below another one says where it is.
    without_make = {name: text for name, text in os.environ.items() if "MAKE" not in name}
    told = subprocess.run(
        ["make", ".venv/run"],
        cwd=clone,
        env={
            **without_make,
            "PIP_USER": "1",
            "PIP_TARGET": str(elsewhere),
            "PIP_REQUIRE_VIRTUALENV": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PYTHONUSERBASE": str(elsewhere),
            "PYTHONPATH": str(elsewhere),
        },
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    # No bars and no list of packages, since it is no terminal.
    (line,) = told.splitlines()
    assert line.startswith("Installing the service, MongoDB and Redis into .venv: 55 MB to fetch, ")
    assert list(clone.glob(".venv/lib/python*/site-packages/tornado_todo-*.dist-info"))
    assert not elsewhere.exists()
