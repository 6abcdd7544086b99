"""docs/containers.md gives commands that there are."""

import re

import pytest
from containers.composition import SERVICES
from containers.running import Run
from service import ROOT

PAGE = (ROOT / "docs/containers.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"(?m)^(?:REV.*)?docker compose -f conf/compose.yaml (.*?)(?: &&)?$", PAGE)
WITH_SERVICES = ("build", "exec", "kill", "logs", "restart", "stop", "up")


@pytest.mark.parametrize("command", COMMANDS)
def test_its_compose_commands_have_flags_that_compose_knows(run_linter: Run, command: str) -> None:
    verb, *words = command.split()
    known = run_linter("docker-compose", verb, "--help")
    # What follows the service is a command that runs inside.
    until = next((at for at, word in enumerate(words) if word in SERVICES), len(words))
    flags = [word.partition("=")[0] for word in words[:until] if word.startswith("-")]
    assert known.returncode == 0
    for flag in flags:
        assert re.search(rf"(?<![a-z-]){flag}\b", known.stdout), flag


@pytest.mark.parametrize("command", COMMANDS)
def test_its_compose_commands_name_services_that_there_are(command: str) -> None:
    verb, *words = command.split()
    named = [word for word in words if not word.startswith("-")]
    assert verb in WITH_SERVICES
    assert not named or named[0] in SERVICES


@pytest.mark.parametrize("name", ["Dockerfile", "conf/compose.yaml", "docs/containers.md"])
def test_files_say_that_they_have_not_been_run_by_an_engine(name: str) -> None:
    text = " ".join((ROOT / name).read_text(encoding="utf-8").replace("#", "").split())
    assert "there is no Docker engine" in text
