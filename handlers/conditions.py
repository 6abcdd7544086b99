"""Conditional requests: entity tags and preconditions (RFC 9110, sections 8.8.3 and 13)."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

from app.domain.todo import RevCondition
from handlers.problems import FieldError, RequestProblem

_TAG = r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"'
_ONE_TAG = re.compile(_TAG)
# Empty members are allowed (RFC 9110, section 5.6.1). Only one way to match each comma and blank:
# with two, a header of commas would take exponential time.
_TAG_LIST = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
# A tag that is no revision of ours matches none; longer numbers would not fit MongoDB's integers.
_REV = re.compile("[1-9][0-9]{0,14}")


class Tags(Struct, frozen=True):
    """The value of If-Match or If-None-Match: a list of tags, or ``*``."""

    every: bool
    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()

    def match_strongly(self, tag: str) -> bool:
        """Tell whether a strong tag is among these by the strong comparison."""
        return self.every or tag.strip('"') in self.strong

    def match_weakly(self, tag: str) -> bool:
        """Tell whether a tag is among these by the weak comparison."""
        return self.match_strongly(tag) or tag.strip('"') in self.weak


CONDITIONS = ("If-Match", "If-None-Match")
"""The header fields that are heeded."""


class Preconditions(NamedTuple):
    """The preconditions that are heeded: no date is, since nothing here has one."""

    match: Tags | None
    none_match: Tags | None


def parse_preconditions(headers: Mapping[str, str]) -> Preconditions:
    """Return If-Match and If-None-Match of a request.

    Raises:
        RequestProblem: it names each that cannot be understood.
    """
    found, wrong = [], []
    for name in CONDITIONS:
        try:
            found.append(parse_tags(headers, name))
        except RequestProblem as problem:
            wrong.append(problem)
    if wrong:
        details = " ".join(problem.detail for problem in wrong)
        errors = [error for problem in wrong for error in problem.errors]
        raise RequestProblem("invalid-header", details, errors=errors)
    return Preconditions(*found)


def parse_tags(headers: Mapping[str, str], name: str) -> Tags | None:
    """Return the tags that a conditional header field lists; None if it is absent.

    Raises:
        RequestProblem: the value is no list of entity tags.
    """
    value = headers.get(name)
    if value is None:
        return None
    if value.strip(" \t") == "*":
        return Tags(every=True)
    if _TAG_LIST.fullmatch(value) is None:
        wrong = FieldError(
            header=name, code="malformed", detail='is neither * nor a list such as "3", "4"'
        )
        raise RequestProblem("invalid-header", f"{name} cannot be understood.", errors=[wrong])
    tags = _ONE_TAG.findall(value)
    return Tags(
        every=False,
        strong=frozenset(text for weak, text in tags if not weak),
        weak=frozenset(text for weak, text in tags if weak),
    )


def rev_condition(headers: Mapping[str, str]) -> RevCondition:
    """Return what If-Match and If-None-Match demand of the todo that is to be changed.

    A weak tag never meets If-Match: its comparison is the strong one (section 13.1.1).
    """
    match, none_match = parse_preconditions(headers)
    if none_match is not None and none_match.every:
        return RevCondition(any_of=frozenset())  # "Only if there is none": never for a change.
    return RevCondition(
        any_of=None if match is None or match.every else _revs(match.strong),
        none_of=frozenset() if none_match is None else _revs(none_match.strong | none_match.weak),
    )


def _revs(tags: frozenset[str]) -> frozenset[int]:
    return frozenset(int(tag) for tag in tags if _REV.fullmatch(tag))
