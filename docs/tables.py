"""Writes the tables of the README that are made from code and figures: ``make docs``.

A test fails when the README is not what this would write.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.settings_sources import settings_table_markdown
from handlers import ROUTES
from handlers.base import Route
from handlers.openapi import operations
from handlers.operation import ANYWHERE, Operation
from handlers.problems import PROBLEMS

README = Path(__file__).parent.parent / "README.md"
_FIGURES = Path(__file__).parent / "benchmarks/cache.json"

_COMPARED = {
    ("hot", 100): "the first page, 100 connections",
    ("hot", 1000): "the first page, 1,000 connections",
    ("random", 100): "random pages, 100 connections",
    ("writes", 100): "new todos, journaled, 100 connections",
    ("mix-90-10", 100): "90 % reads and 10 % writes, 100 connections",
}
_PEERS = {"flask", "fastapi", "falcon", "sanic", "tornado"}


def api_table() -> str:
    """Return the table of all calls."""
    lines = ["| Call | Does | Answers |", "| --- | --- | --- |"]
    for route in ROUTES:
        for method, described in operations(route.handler):
            if method != "HEAD":
                lines.append(
                    f"| `{method} {_target(route, described)}` | {described.summary} | "
                    f"{_statuses(method, described)} |"
                )
    return "\n".join(lines) + "\n"


def problem_table() -> str:
    """Return the table of all problems."""
    lines = ["| Status | `type` | Meaning |", "| --- | --- | --- |"]
    lines += [
        f"| {problem.status} | `/problems/{code}` | {problem.title}. {problem.advice} |"
        for code, problem in PROBLEMS.items()
    ]
    return "\n".join(lines) + "\n"


def speed_table() -> str:
    """Return the table of requests per second that `benchmarks.cache` has measured last."""
    summaries = json.loads(_FIGURES.read_text(encoding="utf-8"))["summaries"]
    lines = [
        (
            "| Requests per second | Ours, strict | "
            "Best of Flask, FastAPI, Falcon, Sanic, Tornado | nginx, the same bytes from a file |"
        ),
        "| --- | ---: | ---: | ---: |",
    ]
    for (load, connections), text in _COMPARED.items():
        found = {
            summary["system"]: summary
            for summary in summaries
            if (summary["load"], summary["connections"]) == (load, connections)
        }
        best = max(
            (found[name] for name in _PEERS & found.keys()),
            key=lambda summary: summary["requests_per_second"],
        )
        nginx = _rounded(found["nginx"]) if "nginx" in found else ""
        cells = (text, _rounded(found["ours"]), _rounded(best), nginx)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _rounded(summary: Mapping[str, Any]) -> str:
    text = f"{round(summary['requests_per_second'], -2):,.0f}"
    return f"{text}, with errors" if summary["errors"] else text


TABLES = {
    "speed": speed_table,
    "api": api_table,
    "problems": problem_table,
    "settings": settings_table_markdown,
}


def with_tables(text: str) -> str:
    """Return the README with every table made anew between its marks."""
    for name, table in TABLES.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if len(pattern.findall(text)) != 1:
            raise ValueError(f"the README needs one pair of marks for the table {name!r}")
        text = pattern.sub(lambda marks, table=table: marks[1] + table() + marks[2], text)
    return text


def _target(route: Route, described: Operation) -> str:
    if described.query is None:
        return route.template
    return f"{route.template}?" + "&".join(f"{name}=" for name in described.query.__struct_fields__)


def _statuses(method: str, described: Operation) -> str:
    codes = set(described.problem_codes()) - set(ANYWHERE)
    statuses = {*described.answers, *(PROBLEMS[code].status for code in codes)}
    if described.conditional and method == "GET":
        statuses.add(304)
    return ", ".join(map(str, sorted(statuses)))


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
