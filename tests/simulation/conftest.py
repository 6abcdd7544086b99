"""Fixtures for tests of the simulator.

=====  =========================================================================================
quiet  (always on) what the simulated service warns of, which is what the simulator does to it
=====  =========================================================================================
"""

import logging

import pytest


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("app.cache.redis_stamps"), "disabled", True)
