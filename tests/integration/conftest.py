"""Fixtures for tests that start embedded servers of their own.

========  =====================================================================================
data_dir  a data directory that is not there yet; servers that run in it are ended afterwards
user      ``user(*needs, at=data_dir, **environment)``: starts a `User`, killed afterwards
========  =====================================================================================
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from embedded_users import User, end_servers_below


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "var"
    end_servers_below(tmp_path)


@pytest.fixture
def user(data_dir: Path) -> Iterator[Callable[..., User]]:
    users: list[User] = []

    def start(*needs: str, at: Path = data_dir, **environment: str) -> User:
        users.append(User(at, *needs, **environment))
        return users[-1]

    yield start
    for one in users:
        one.end(killed=True)
