"""Fixtures for tests of the nginx in front of the service, with the files of conf/nginx.

============  =================================================================================
services      two `run.py` on one database, which trust 127.0.0.1 as a proxy; for all tests
front         nginx in front of them, as `run.py up` writes it; for all tests
upstream      a server of the test's own that keeps what it was sent
make_upstream ``make_upstream(respond)``: more of them
make_front    ``make_front(*app_ports, edits={file: {old: new}})``: an nginx of the test's own
fronted       one in front of ``upstream``, with one worker
============  =================================================================================
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from nginx.front import Front
from nginx.upstream import Respond, Upstream
from own_database import own_database
from service import Service

from app.embedded import EmbeddedServers

Edits = Mapping[str, Mapping[str, str]]
NODE = ("--trusted-proxies=127.0.0.1", "--anonymous=write")
ONE_WORKER: Edits = {"nginx.conf": {"worker_processes auto;": "worker_processes 1;"}}


@pytest.fixture(scope="session")
def services(servers: EmbeddedServers) -> Iterator[list[Service]]:
    with own_database(servers.mongo_uri) as uri:
        flags = ("--port=0", *NODE, f"--mongo-uri={uri}", f"--redis-url={servers.redis_url}")
        # Killed in the end, so that they would measure no coverage.
        started = [Service(*flags, is_traced=False) for _ in range(2)]
        try:
            for service in started:
                service.wait_for_banner()
            yield started
        finally:
            for service in started:
                service.kill()
    logs = [line for service in started for line in service.log]
    assert not any("Traceback" in line for line in logs), logs


@pytest.fixture(scope="session")
def front(services: list[Service], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    ports = [service.port for service in services]
    front = Front(tmp_path_factory.mktemp("nginx") / "node", ports)
    yield front
    front.kill()


@pytest.fixture
def make_front(tmp_path: Path) -> Iterator[Callable[..., Front]]:
    fronts: list[Front] = []

    def make_front(*app_ports: int, edits: Edits | None = None) -> Front:
        front = Front(tmp_path / f"node{len(fronts)}", app_ports, edits)
        fronts.append(front)
        return front

    yield make_front
    for front in fronts:
        front.kill()


@pytest.fixture
def make_upstream() -> Iterator[Callable[..., Upstream]]:
    upstreams: list[Upstream] = []

    def make_upstream(respond: Respond | None = None) -> Upstream:
        upstream = Upstream(respond)
        upstreams.append(upstream)
        return upstream

    yield make_upstream
    for upstream in upstreams:
        upstream.close()


@pytest.fixture
def upstream(make_upstream: Callable[..., Upstream]) -> Upstream:
    return make_upstream()


@pytest.fixture
def fronted(upstream: Upstream, make_front: Callable[..., Front]) -> Front:
    return make_front(upstream.port, edits=ONE_WORKER)
