"""Fixtures for tests that start `run.py` itself.

=============  ================================================================================
data_dir       a data directory that is not there yet; what runs in it is ended afterwards
start          ``start(*flags)``: a `Service` that answers; killed afterwards if it still runs
backend_flags  flags that name a database of the test's own on the servers that run already
=============  ================================================================================
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from processes import processes_in
from service import Service

from app.embedded import EmbeddedServers


@pytest.fixture
def data_dir() -> Iterator[Path]:
    # Neither tmp_path nor TMPDIR: the path of a Unix socket has 107 bytes at most (unix(7)).
    parent = Path(tempfile.mkdtemp(prefix="todo-", dir="/tmp"))
    data_dir = parent / "var"
    yield data_dir
    left = processes_in(data_dir)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=5)
    shutil.rmtree(parent)


@pytest.fixture
def start(data_dir: Path) -> Iterator[Callable[..., Service]]:
    services: list[Service] = []

    def start(*flags: str, terminal: bool = False) -> Service:
        service = Service("--port", "0", "--data-dir", str(data_dir), *flags, terminal=terminal)
        services.append(service)
        service.wait_for_banner()
        return service

    yield start
    for service in services:
        service.kill()
    logs = [line for service in services for line in service.log]
    faults = [line for line in logs if "Traceback" in line]
    assert not faults, "\n".join(faults)


@pytest.fixture
def backend_flags(servers: EmbeddedServers, mongo_uri: str) -> tuple[str, ...]:
    return ("--mongo-uri", mongo_uri, "--redis-url", servers.redis_url)
