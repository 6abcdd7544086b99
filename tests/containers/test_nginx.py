"""nginx serves with the files that compose.yaml mounts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers.composition import PROCESSES, Compose, seconds
from containers.dockerfile import Stage
from containers.front import Front
from containers.names import Names
from nginx.front import free_ports, wait_for
from service import ROOT, Service

from app.embedded import EmbeddedServers

PORTS = ("8080", "8081", "8443")
HERE = dict.fromkeys(PROCESSES, "127.0.0.1")
ELSEWHERE = dict.fromkeys(PROCESSES, "127.0.0.9")
"""Where nobody listens."""

_ATTEMPTS = 5


@pytest.fixture(scope="module")
def app_ports(servers: EmbeddedServers) -> Iterator[dict[str, int]]:
    flags = ("--port=0", f"--mongo-uri={servers.mongo_uri}", f"--redis-url={servers.redis_url}")
    services = {name: Service(*flags, "--anonymous=write") for name in PROCESSES}
    try:
        for service in services.values():
            service.wait_for_banner()
        yield {name: service.port for name, service in services.items()}
    finally:
        for service in services.values():
            service.kill()


@pytest.fixture
def names(request: pytest.FixtureRequest) -> Iterator[Names]:
    names = Names(getattr(request, "param", HERE))
    yield names
    names.close()


@pytest.fixture
def front(
    compose: Compose, names: Names, app_ports: dict[str, int], tmp_path: Path
) -> Iterator[Front]:
    for attempt in range(_ATTEMPTS):  # Somebody else may take a port before nginx does.
        ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        folder = tmp_path / str(attempt)
        front = Front(compose["services"]["nginx"], folder, names, app_ports, ports)
        if front.process.poll() is None:
            yield front
            front.kill()
            return
        assert "Address already in use" in front.errors, front.errors
    raise AssertionError(front.errors)


def serves(front: Front) -> bool:
    return front.call("/v1/todos").status == 200


def test_nginx_passes_requests_to_the_services(front: Front) -> None:
    wait_for(lambda: serves(front))


@pytest.mark.parametrize("names", [{}], indirect=True, ids=["no name known"])
def test_nginx_starts_before_the_services_and_finds_them_later(front: Front, names: Names) -> None:
    assert front.call("/v1/todos").status == 503
    names.addresses.update(HERE)
    wait_for(lambda: serves(front))


@pytest.mark.parametrize("names", [ELSEWHERE], indirect=True, ids=["old addresses"])
def test_nginx_follows_a_service_whose_address_has_changed(front: Front, names: Names) -> None:
    assert front.call("/v1/todos").status == 503
    names.addresses.update(HERE)
    wait_for(lambda: serves(front))


def test_nginx_speaks_http_2_with_the_certificate_of_the_docs(front: Front) -> None:
    assert front.protocol_over_tls() == "h2"


def test_nginx_redirects_to_the_published_port_of_https(front: Front, compose: Compose) -> None:
    published = {
        str(port["target"]): port["published"] for port in compose["services"]["nginx"]["ports"]
    }
    answer = front.call("/v1/todos", port="8081")
    assert answer.status == 308
    assert answer.headers["Location"] == f"https://127.0.0.1:{published['8443']}/v1/todos"


def test_nginx_has_nothing_to_warn_of(front: Front) -> None:
    wait_for(lambda: serves(front))
    assert "[warn]" not in front.errors


def test_nginx_writes_only_where_a_tmpfs_is_mounted(front: Front) -> None:
    def written() -> set[Path]:
        run = front.prefix / "run"
        return {path for path in front.prefix.rglob("*") if not path.is_relative_to(run)}

    before = written()
    wait_for(lambda: serves(front))
    assert written() == before


def test_the_published_ports_are_those_it_listens_on(compose: Compose) -> None:
    published = {str(port["target"]) for port in compose["services"]["nginx"]["ports"]}
    assert published == set(PORTS)


@pytest.mark.parametrize("name", ["http", "redirect", "https"])
def test_it_listens_on_all_addresses_of_its_container(name: str) -> None:
    text = (ROOT / f"conf/container-listen-{name}.conf").read_text(encoding="utf-8")
    (address,) = re.findall(r"(?m)^listen (\S+) ", text)
    assert address in PORTS


def test_its_servers_are_the_services_on_the_port_of_their_image(stages: dict[str, Stage]) -> None:
    text = (ROOT / "conf/container-upstream.conf").read_text(encoding="utf-8")
    port = stages["service"].environment()["TODO_PORT"]
    assert re.findall(r"server (\S+)", text) == 2 * [f"{name}:{port}" for name in PROCESSES]


def test_its_upstream_is_otherwise_that_of_a_node() -> None:
    def directives(name: str) -> list[str]:
        lines = (ROOT / "conf" / name).read_text(encoding="utf-8").splitlines()
        stripped = (line.strip() for line in lines)
        return [line for line in stripped if not line.startswith(("#", "server ", "resolver "))]

    ours, nodes = directives("container-upstream.conf"), directives("nginx/upstream.conf")
    assert [line for line in ours if line] == [line for line in nodes if line]


def test_it_closes_idle_connections_before_a_service_that_drains_does(compose: Compose) -> None:
    text = (ROOT / "conf/container-upstream.conf").read_text(encoding="utf-8")
    (kept,) = re.findall(r"keepalive_timeout (\S+);", text)
    for name in PROCESSES:
        drain_idle = compose["services"][name]["environment"]["TODO_DRAIN_IDLE_SECONDS"]
        assert seconds(kept) < float(drain_idle)


def test_its_health_is_asked_for_at_a_place_that_it_has(compose: Compose) -> None:
    url = compose["services"]["nginx"]["healthcheck"]["test"][-1]
    site = (ROOT / "conf/nginx/site.conf").read_text(encoding="utf-8")
    assert url.startswith("http://127.0.0.1:8080/")
    assert f"location = {url.removeprefix('http://127.0.0.1:8080')} {{" in site


def test_it_has_more_time_to_end_than_its_old_workers_take(compose: Compose) -> None:
    text = (ROOT / "conf/nginx/nginx.conf").read_text(encoding="utf-8")
    (longest,) = re.findall(r"worker_shutdown_timeout (\S+);", text)
    assert seconds(longest) < seconds(compose["services"]["nginx"]["stop_grace_period"])
