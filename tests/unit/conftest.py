"""Fixtures for tests of the gate before the driver: see `gate`."""

from collections.abc import Callable

import pytest
from gate import Driver


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
def logged_503(expect_log: Callable[[str], None]) -> None:
    expect_log("answering 503")
