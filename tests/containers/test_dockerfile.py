"""The Dockerfile says what the service is."""

import re
import tomllib
from configparser import ConfigParser

import pytest
from containers.dockerfile import Stage
from service import ROOT

PINNED = re.compile(r"python:(\d+)\.(\d+)\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?")


@pytest.fixture(scope="session")
def project() -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_the_base_is_a_slim_python_of_one_version(stages: dict[str, Stage]) -> None:
    assert PINNED.fullmatch(stages["base"].base)


def test_all_stages_are_made_from_that_base(stages: dict[str, Stage]) -> None:
    assert {stages[name].base for name in stages if name != "base"} == {"base"}


def test_the_base_has_a_python_that_the_service_runs_on(
    stages: dict[str, Stage], project: ConfigParser
) -> None:
    match = PINNED.fullmatch(stages["base"].base)
    least = re.fullmatch(r">=(\d+)\.(\d+)", project["options"]["python_requires"])
    assert match is not None
    assert least is not None
    assert (int(match[1]), int(match[2])) >= (int(least[1]), int(least[2]))


def test_the_user_is_a_number_and_not_root(stages: dict[str, Stage]) -> None:
    user, group = map(int, stages["service"].last("USER").text.split(":"))
    assert user >= 10_000
    assert group >= 10_000


def test_the_user_that_is_named_is_the_one_that_is_made(stages: dict[str, Stage]) -> None:
    user, group = stages["service"].last("USER").text.split(":")
    made = stages["service"].last("RUN").text
    assert f"--uid {user} " in made
    assert f"--gid {group} " in made


def test_what_is_copied_into_the_image_belongs_to_root(stages: dict[str, Stage]) -> None:
    for copy in stages["service"].all("COPY"):
        assert not any(flag.startswith("--chown") for flag in copy.flags)


def test_the_exposed_port_is_the_one_it_listens_on(stages: dict[str, Stage]) -> None:
    service = stages["service"]
    assert service.last("EXPOSE").text == service.environment()["TODO_PORT"]


def test_its_commands_are_read_by_no_shell(stages: dict[str, Stage]) -> None:
    service = stages["service"]
    assert service.last("ENTRYPOINT").exec_form() == ["tornado-todo"]
    assert service.last("CMD").exec_form() == ["serve"]


def test_the_command_is_one_that_setup_cfg_installs(
    stages: dict[str, Stage], project: ConfigParser
) -> None:
    (command,) = stages["service"].last("ENTRYPOINT").exec_form()
    scripts = project["options.entry_points"]["console_scripts"]
    assert command in [line.partition("=")[0].strip() for line in scripts.splitlines()]


def test_it_is_stopped_by_the_signal_that_makes_the_service_drain(
    stages: dict[str, Stage],
) -> None:
    assert stages["service"].last("STOPSIGNAL").text == "SIGTERM"


def test_its_licence_and_name_are_those_of_setup_cfg(
    stages: dict[str, Stage], project: ConfigParser
) -> None:
    labels = stages["service"].last("LABEL").pairs()
    assert labels["org.opencontainers.image.licenses"] == project["metadata"]["license"]
    assert labels["org.opencontainers.image.title"] == project["metadata"]["name"]


def test_no_instruction_holds_a_secret(stages: dict[str, Stage]) -> None:
    secret = re.compile(r"(?i)passw|secret|token|api_?key|://[^/\s]*@")
    for stage in stages.values():
        for one in stage.instructions:
            assert not secret.search(one.text), one


def test_the_setuptools_of_the_constraints_are_those_that_may_build(
    stages: dict[str, Stage],
) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        (requirement,) = tomllib.load(file)["build-system"]["requires"]
    bounds = re.fullmatch(r"setuptools>=(\d+),<(\d+)", requirement)
    constraints = (ROOT / "conf/constraints.txt").read_text(encoding="utf-8")
    chosen = re.search(r"(?m)^setuptools==(\d+)\.", constraints)
    assert bounds is not None
    assert chosen is not None
    assert int(bounds[1]) <= int(chosen[1]) < int(bounds[2])
