"""compose.yaml says what the service is, and every container in it is locked up."""

import re
from pathlib import Path

import pytest
from containers.composition import PROCESSES, SERVICES, Compose, seconds
from containers.dockerfile import Stage
from containers.running import Run
from containers.shown import Shown, read_shown
from pymongo.uri_parser import parse_uri
from service import ROOT

ENDING_SECONDS = 1.0
"""What a process of the service takes after its drain: app.cli._THREADS_SECONDS."""


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest, compose: Compose) -> Compose:
    found: Compose = compose["services"][request.param]
    return found


@pytest.fixture(params=PROCESSES)
def process(request: pytest.FixtureRequest, compose: Compose) -> Compose:
    found: Compose = compose["services"][request.param]
    return found


@pytest.fixture
def settings(process: Compose, run_installed: Run) -> dict[str, Shown]:
    ended = run_installed("--show-settings", **process["environment"])
    assert ended.returncode == 0, ended.stderr
    return read_shown(ended.stdout)


def test_these_are_the_services(compose: Compose) -> None:
    assert set(compose["services"]) == set(SERVICES)


def test_images_are_pinned_to_one_version(service: Compose) -> None:
    if "build" not in service:
        assert re.fullmatch(r"[a-z]+:\d+\.\d+\.\d+(-[a-z]+)?", service["image"])


def test_nobody_is_root(service: Compose) -> None:
    user, group = map(int, service["user"].split(":"))
    assert user > 0
    assert group > 0


def test_a_process_of_the_service_runs_as_the_user_of_its_image(
    process: Compose, stages: dict[str, Stage]
) -> None:
    assert process["user"] == stages["service"].last("USER").text


def test_nothing_can_be_written_but_what_is_mounted_for_it(service: Compose) -> None:
    assert service["read_only"] is True
    for volume in service.get("volumes", ()):
        assert volume["type"] == "volume" or volume["read_only"] is True


def test_nobody_has_or_gains_a_privilege(service: Compose) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "no-new-privileges:true" in service["security_opt"]


def test_everybody_has_limits(service: Compose) -> None:
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}


def test_logs_are_rotated(service: Compose) -> None:
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}


def test_everybody_is_started_again(service: Compose) -> None:
    assert service["restart"] == "unless-stopped"


def test_everybody_is_asked_for_their_health(service: Compose) -> None:
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


def test_whoever_needs_others_waits_until_they_are_healthy(compose: Compose) -> None:
    needed = {name: service.get("depends_on", {}) for name, service in compose["services"].items()}
    conditions = {one["condition"] for others in needed.values() for one in others.values()}

    assert {name: set(others) for name, others in needed.items()} == {
        "nginx": set(PROCESSES),
        **{name: {"mongo", "redis"} for name in PROCESSES},
        "mongo": set(),
        "redis": set(),
    }
    assert conditions == {"service_healthy"}


def test_only_nginx_publishes_ports_and_only_to_this_machine(compose: Compose) -> None:
    published = {
        (name, port["host_ip"])
        for name, service in compose["services"].items()
        for port in service.get("ports", ())
    }
    assert published == {("nginx", "127.0.0.1")}


def test_only_the_service_reaches_its_databases(compose: Compose) -> None:
    networks = {name: set(service["networks"]) for name, service in compose["services"].items()}
    assert networks == {
        "nginx": {"edge", "front"},
        **{name: {"front", "back"} for name in PROCESSES},
        "mongo": {"back"},
        "redis": {"back"},
    }


def test_only_nginx_has_a_network_that_leads_out(compose: Compose) -> None:
    inside = {name for name, network in compose["networks"].items() if network.get("internal")}
    assert inside == {"front", "back"}


def test_every_variable_is_a_setting_with_a_valid_value(
    process: Compose, settings: dict[str, Shown]
) -> None:
    origins = {one.origin for one in settings.values()}
    for variable in process["environment"]:
        assert f"environment {variable}" in origins


def test_the_drain_ends_before_the_container_is_killed(
    process: Compose, settings: dict[str, Shown]
) -> None:
    longest = float(settings["drain_seconds"].value) + ENDING_SECONDS
    assert longest < seconds(process["stop_grace_period"])


def test_idle_connections_do_not_take_the_whole_drain(settings: dict[str, Shown]) -> None:
    drain = float(settings["drain_seconds"].value)
    assert float(settings["drain_idle_seconds"].value) < drain


def test_only_the_network_of_nginx_is_believed(
    compose: Compose, settings: dict[str, Shown]
) -> None:
    (front,) = compose["networks"]["front"]["ipam"]["config"]
    assert settings["trusted_proxies"].value == front["subnet"]


def test_signals_are_passed_on_from_the_first_moment(process: Compose) -> None:
    assert process["init"] is True


def test_processes_differ_in_nothing(compose: Compose) -> None:
    first, *others = (compose["services"][name] for name in PROCESSES)
    for other in others:
        assert other == first


def test_the_build_starts_where_the_dockerfile_is(process: Compose) -> None:
    assert Path(process["build"]["context"]) == ROOT
    assert set(process["build"]["args"]) == {"REVISION", "VERSION"}


def test_the_uris_name_services_of_this_file(compose: Compose, settings: dict[str, Shown]) -> None:
    (mongo,) = parse_uri(settings["mongo_uri"].value)["nodelist"]
    assert mongo == ("mongo", 27017)
    assert settings["redis_url"].value == "redis://redis:6379/0"
    assert {"mongo", "redis"} <= set(compose["services"])


def test_what_is_mounted_exists(service: Compose) -> None:
    for volume in service.get("volumes", ()):
        if volume["type"] == "bind":
            assert Path(volume["source"]).exists()


def test_memory_is_enough_for_the_cache_of_a_process(
    process: Compose, settings: dict[str, Shown]
) -> None:
    limit = int(process["deploy"]["resources"]["limits"]["memory"])
    assert limit >= 4 * int(settings["cache_bytes"].value)
