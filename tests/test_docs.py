"""The documents say what the code does."""

import re
from pathlib import Path

import pytest

from docs.tables import README, with_tables

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_tables_of_the_readme_are_those_the_code_gives() -> None:
    text = README.read_text(encoding="utf-8")

    assert with_tables(text) == text, "run make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_headings_name_headings(page: Path) -> None:
    for target, heading in re.findall(r"\]\(([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        aimed = page.parent / target if target else page
        headings = re.findall(r"^#+ (.+)$", aimed.read_text(encoding="utf-8"), re.MULTILINE)
        slugs = {
            re.sub(r"[^\w -]", "", text).strip().lower().replace(" ", "-") for text in headings
        }
        assert heading in slugs, f"{target}#{heading}"


def test_every_make_command_in_the_documents_is_a_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {
        name
        for document in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / ".ci/run")
        for name in re.findall(r"(?:`|\$ |^)make ([a-z-]+)", document.read_text(), re.MULTILINE)
    }
    assert named >= {"run", "test", "up", "install"}
    assert named <= targets


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    for target in re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE):
        assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE), target
