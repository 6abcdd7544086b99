"""Imports point one way, files stay short, and the checker itself can say no."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_LINES = 300

FOUNDATION = (
    *("app.errors", "app.log", "app.metrics", "app.program", "app.standard_streams"),
    "app.tallies",
)
"""May be imported by all; import nothing of ours but each other, and for the type checker."""

SETTINGS_PARTS = ("app.settings_http", "app.settings_row", "app.settings_storage")
SETTINGS = (
    *("app.settings", *SETTINGS_PARTS),
    *("app.settings_environment", "app.settings_sources"),
    *("app.number_flag", "app.path_flag"),
)

OURS = {
    "app": (),
    **dict.fromkeys(FOUNDATION, ()),
    "app.metrics": ("app.tallies",),
    "app.domain": ("app.domain", "app.errors"),
    "app.httpserver": ("app.httpserver",),
    "app.services": ("app.services", "app.domain", *FOUNDATION),
    "app.storage": ("app.storage", "app.services", "app.domain", *FOUNDATION),
    "app.cache": ("app.cache", "app.services", "app.domain", *FOUNDATION),
    "app.settings_row": (),
    "app.settings_http": ("app.settings_row",),
    "app.settings_storage": ("app.settings_row",),
    "app.settings": SETTINGS_PARTS,
    "app.settings_environment": ("app.settings",),
    "app.number_flag": ("app.settings_row",),
    "app.path_flag": ("app.settings_row",),
    "app.settings_sources": (*SETTINGS, "app.standard_streams", "app.log"),
    "app.resources": (
        "app.settings",
        "app.settings_row",
        "app.storage.collection",
        "app.cache.channel",
        *FOUNDATION,
    ),
    "app.embedded": ("app.embedded", *SETTINGS, *FOUNDATION),
    "app.node": ("app.node", "app.embedded", *SETTINGS, *FOUNDATION),
    "app.seed_texts": (),
    "app.seed": ("app.seed_texts", "app.domain", *FOUNDATION),
    "app.seeding": (
        *("app.bootstrap", "app.seed", "app.domain", "app.resources", "app.services"),
        "app.settings",
        *FOUNDATION,
    ),
    "app.exporting": (
        *("app.bootstrap", "app.domain", "app.resources", "app.settings"),
        *("app.storage.late_reads", *FOUNDATION),
    ),
    "handlers": ("app", "handlers", "app.services", "app.domain", "app.httpserver", *FOUNDATION),
    "app.bootstrap": (
        *("handlers", "app.storage", "app.cache", "app.services", "app.domain"),
        *("app.resources", "app.settings", *FOUNDATION),
    ),
    "app.serving": (
        *("app.bootstrap", "handlers.application", "handlers.refusals", "app.httpserver"),
        *(
            "app.storage",
            "app.services",
            "app.domain",
            "app.resources",
            "app.settings",
            *FOUNDATION,
        ),
    ),
    "app.node.commands": ("app.node", "app.resources", *SETTINGS, *FOUNDATION),
    "app.command": ("app.embedded", "app.resources", *SETTINGS, *FOUNDATION),
    "app.data_commands": (
        *("app.command", "app.seeding", "app.seed", "app.exporting"),
        "app.storage.operations",
        *(*SETTINGS, *FOUNDATION),
    ),
    "app.cli": (
        *("app", "app.serving", "app.command", "app.data_commands", "app.embedded", "app.node"),
        "app.storage.operations",
        *(*SETTINGS, *FOUNDATION),
    ),
    "app.start": ("app", "app.cli", "app.program", "app.standard_streams"),
    "app.__main__": ("app.start",),
    "run": ("app.start",),
}
"""What each layer may import of ours; the most specific name counts. What is not here fails."""

ONLY_IN = {
    "motor": ("app.storage.collection", "app.resources"),
    **dict.fromkeys(
        ("pymongo", "bson"), ("app.storage", "app.resources", "app.embedded", "app.node")
    ),
    **dict.fromkeys(("redis", "hiredis"), ("app.cache",)),
    "supervisor": ("app.node",),
    "tornado": ("handlers", "app.serving", "app.resources", "app.cli", "app.httpserver"),
}
"""The only layers that may import these packages."""

DOMAIN_PACKAGES = {*sys.stdlib_module_names, "msgspec", "app"}
ENVIRONMENT = {"environ", "environb", "getenv", "putenv", "unsetenv"}
READS_ENVIRONMENT = ("app.cli", "app.command", "app.settings_sources")


@dataclass(frozen=True)
class Import:
    """A module that is imported, and the place."""

    name: str
    line: int
    for_types_only: bool


def is_within(module: str, layer: str) -> bool:
    # "app" is the package's own file, which holds the version: not all that lies below it.
    return module == layer or (layer != "app" and module.startswith(f"{layer}."))


def layer_of(module: str, layers: dict[str, tuple[str, ...]] = OURS) -> str | None:
    return max((layer for layer in layers if is_within(module, layer)), key=len, default=None)


def imports_of(tree: ast.Module, module: str, known: set[str]) -> Iterator[Import]:
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING")
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, id(node) in typing_only)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                parents = module.split(".")[: -node.level]
                origin = ".".join([*parents, *filter(None, [origin])])
            for alias in node.names:
                submodule = f"{origin}.{alias.name}"
                name = submodule if submodule in known else origin
                yield Import(name, node.lineno, id(node) in typing_only)


def violations(module: str, source: str, known: set[str]) -> list[str]:
    """Return a sentence for every line of a module that breaks a rule.

    Args:
        module: its dotted name.
        source: its text.
        known: the names of all modules, by which ``from app import errors`` is told from
            ``from app import __version__``.
    """
    tree = ast.parse(source)
    layer = layer_of(module)
    if layer is None:
        return [f"{module} has no layer: give it one here"]
    found = []
    for imported in imports_of(tree, module, known):
        package = imported.name.partition(".")[0]
        allowed = True
        if imported.for_types_only and module in FOUNDATION:
            continue
        if package in {"app", "handlers", "run"}:
            allowed = any(is_within(imported.name, lower) for lower in OURS[layer])
        elif package in ONLY_IN:
            allowed = any(is_within(module, only) for only in ONLY_IN[package])
        if is_within(module, "app.domain"):
            allowed = allowed and package in DOMAIN_PACKAGES
        if not allowed:
            found.append(f"{module}:{imported.line} imports {imported.name}")
    if module not in READS_ENVIRONMENT:
        found += [f"{module}:{line} uses the environment" for line in environment_lines(tree)]
    found += [f"{module}:{line} imports by name" for line in dynamic_import_lines(tree)]
    return found


def environment_lines(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "os" and node.attr in ENVIRONMENT:
                yield node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (node.lineno for alias in node.names if alias.name in ENVIRONMENT)


def dynamic_import_lines(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.rpartition(".")[2] in {"__import__", "import_module"}:
                yield node.lineno


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    module_name(path): path
    for path in [ROOT / "run.py", *(ROOT / "app").rglob("*.py"), *(ROOT / "handlers").rglob("*.py")]
}


@pytest.mark.parametrize("module", sorted(FILES))
def test_a_module_imports_only_what_its_layer_may(module: str):
    assert not violations(module, FILES[module].read_text("utf-8"), set(FILES))


ALL_FILES = {**FILES, **{module_name(path): path for path in (ROOT / "tests").rglob("*.py")}}


@pytest.mark.parametrize("module", sorted(ALL_FILES))
def test_a_file_is_short_enough_to_be_read_at_once(module: str):
    assert len(ALL_FILES[module].read_text("utf-8").splitlines()) <= MAX_LINES


def test_only_the_bootstrap_and_the_server_know_the_handlers():
    knowing = {
        module
        for module, path in FILES.items()
        for imported in imports_of(ast.parse(path.read_text("utf-8")), module, set(FILES))
        if imported.name.startswith("handlers") and not module.startswith("handlers")
    }
    assert knowing == {"app.bootstrap", "app.serving"}


PLANTED = {
    "a handler that knows the driver": ("handlers.todos", "import motor.motor_tornado"),
    "a handler that knows documents": ("handlers.todos", "from bson import ObjectId"),
    "a handler that knows Redis": ("handlers.base", "import redis.asyncio as cache"),
    "a handler that knows the storage": ("handlers.todos", "from app.storage import todos"),
    "a handler that opens connections": ("handlers.base", "import app.resources"),
    "a handler that knows the settings": ("handlers.base", "from app import settings"),
    "a service that knows Tornado": ("app.services.todos", "from tornado.web import HTTPError"),
    "a service that knows the driver": ("app.services.todos", "import motor"),
    "a service that knows a handler": ("app.services.todos", "from handlers.wire import view"),
    "a service that knows its adapter": ("app.services.ports", "import app.storage.todos"),
    "a domain with a driver": ("app.domain.todo", "import bson"),
    "a domain with a dependency": ("app.domain.page", "import prometheus_client"),
    "a domain that knows a service": ("app.domain.page", "import app.services.todos"),
    "the driver in the command line": ("app.cli", "import pymongo"),
    "a storage that knows the web": ("app.storage.todos", "import tornado.web"),
    "a server with more than the application": ("app.serving", "from handlers.todos import ROUTES"),
    "a command with a handler": ("app.cli", "import handlers"),
    "the environment in a handler": ("handlers.base", "import os\nx = os.environ['X']"),
    "the environment by function": ("app.resources", "import os\nx = os.getenv('X')"),
    "the environment by name": ("app.storage.todos", "from os import environ"),
    "errors that know the domain": ("app.errors", "import app.domain.todo"),
    "a log that knows the settings": ("app.log", "from app.settings import Settings"),
    "an import inside a function": ("handlers.v0", "def f():\n    import app.storage"),
    "a relative import": ("handlers.v0", "from ..app.storage import todos"),
    "a relative import of the package": ("app.services.todos", "from .. import storage"),
    "an import for types in a handler": (
        "handlers.v0",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import app.storage.todos",
    ),
    "an import by name": ("handlers.v0", "import importlib\nimportlib.import_module('motor')"),
    "a module nobody has placed": ("app.utils", ""),
}


@pytest.mark.parametrize(("module", "source"), PLANTED.values(), ids=PLANTED)
def test_the_checker_catches(module: str, source: str):
    assert violations(module, source, set(FILES))


INNOCENT = {
    "types for the type checker in a foundation": (
        "app.errors",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from app.domain.todo import Todo",
    ),
    "the version in a handler": ("handlers.health", "from app import __version__"),
    "a foundation by its package": ("handlers.base", "from app import log"),
    "the driver in the storage": ("app.storage.todos", "from bson import ObjectId"),
}


@pytest.mark.parametrize(("module", "source"), INNOCENT.values(), ids=INNOCENT)
def test_the_checker_lets_pass(module: str, source: str):
    assert not violations(module, source, set(FILES))
