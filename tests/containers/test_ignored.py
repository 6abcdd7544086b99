"""Only what the image is made of gets into the build context."""

import pytest
from containers.dockerfile import Stage
from containers.ignored import is_ignored
from service import ROOT

IGNORE_FILE = ROOT / ".dockerignore"


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git/config",
        ".venv/bin/python",
        "app/__pycache__/cli.cpython-311.pyc",
        "conf/node.todo.conf",
        "conf/nginx/certificate.key",
        "docs/containers.md",
        "tests/containers/test_ignored.py",
        "tornado_todo.egg-info/PKG-INFO",
        "var/mongo/WiredTiger",
        "var-2/mongo/WiredTiger",
    ],
)
def test_what_is_no_part_of_the_image_stays_out_of_the_build_context(path: str) -> None:
    assert is_ignored(path, IGNORE_FILE)


def test_what_is_copied_exists_and_is_in_the_build_context(stages: dict[str, Stage]) -> None:
    copied = [source for stage in stages.values() for source, _ in stage.copied()]

    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert not is_ignored(source, IGNORE_FILE), source


@pytest.mark.parametrize("folder", ["app", "handlers"])
def test_every_module_of_the_service_is_in_the_build_context(folder: str) -> None:
    for module in (ROOT / folder).rglob("*.py"):
        assert not is_ignored(str(module.relative_to(ROOT)), IGNORE_FILE), module
