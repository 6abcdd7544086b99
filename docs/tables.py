"""Writes the tables of the README that are made from the code: ``make docs``.

A test fails when the README is not what this would write.
"""

import re
from pathlib import Path

from app.settings_sources import settings_table_markdown
from handlers import ROUTES
from handlers.base import Route
from handlers.openapi import operations
from handlers.operation import ANYWHERE, Operation
from handlers.problems import PROBLEMS

README = Path(__file__).parent.parent / "README.md"


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


TABLES = {"api": api_table, "problems": problem_table, "settings": settings_table_markdown}


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
