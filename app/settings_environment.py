"""Reads the settings of the environment, whose ``TODO_*`` variables may be another program's."""

import difflib
import re
from collections.abc import Iterable, Mapping

from app.settings import TABLE

CONFIG_VARIABLE = "TODO_CONFIG"

# What a source says: the text of each setting it names, and where exactly it stands.
Found = dict[str, tuple[str, str]]

# Kubernetes puts the address of each Service into the environment of every pod. For those called
# todo or todo-NAME the variables begin as ours do.
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_LINK = re.compile("(tcp|udp|sctp)://")
_LINK_PART = re.compile(
    r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)


def from_environment(environ: Mapping[str, str]) -> tuple[Found, list[str]]:
    """Return what the variables named like a setting say, and a sentence for each that is ignored.

    A prefix is no ownership: other programs called todo have variables of their own.
    """
    by_variable = {row.variable: row for row in TABLE.values()}
    found: Found = {}
    ignored: list[str] = []
    others: list[str] = []
    for variable, text in environ.items():
        if not variable.startswith("TODO_") or variable == CONFIG_VARIABLE:
            continue
        is_link = variable.endswith("_PORT") and _LINK.match(text)
        if variable in by_variable and is_link:
            ignored.append(
                f"{variable} is ignored: it holds no number but the address of a Kubernetes "
                "Service; enableServiceLinks: false keeps it out, --port goes before it"
            )
        elif variable in by_variable:
            found[by_variable[variable].name] = (text, f"environment {variable}")
        elif is_link or _LINK_PART.fullmatch(variable):
            pass  # Nobody has written it.
        elif near := nearest(variable, [*by_variable, CONFIG_VARIABLE]):
            ignored.append(f"{variable} is ignored, it is no setting: did you mean {near}?")
        else:
            others.append(variable)
    if others:
        ignored.append(f"ignored, since they are no settings: {', '.join(sorted(others))}")
    return found, ignored


def nearest(wrong: str, known: Iterable[str]) -> str | None:
    """Return the known name that a wrong one looks like."""
    # Prefixes that all names share would make any two of them look alike.
    by_core = {_core(name): name for name in known}
    close = difflib.get_close_matches(_core(wrong), by_core, n=1)
    return by_core[close[0]] if close else None


def _core(name: str) -> str:
    return name.removeprefix("TODO_").lstrip("-").replace("-", "_").lower()
