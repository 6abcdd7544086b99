"""Compares how a stream is read, message by message."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import NamedTuple

from fuzz_message import MessageView
from fuzz_others import OTHERS, Reader
from fuzz_readings import REFUSED, Fault, OurReader, Step
from fuzz_rules import EXCUSES, Difference, Rule, explain
from memory_wire import split

_MAX_TRIES = 600
"""Of making an example shorter: about a second."""


class Finding(NamedTuple):
    """A difference, or a failure, and the name of what explains it."""

    other: str
    rule: str
    explanation: str
    is_failure: bool


class Outcome(NamedTuple):
    """What came of a stream."""

    steps: list[Step]
    findings: list[Finding]


class Comparer:
    """Reads streams with our server and with others."""

    def __init__(self, others: Mapping[str, Reader] = OTHERS) -> None:
        self._ours = OurReader()
        self._others = others

    async def compare(self, stream: bytes, cuts: list[int]) -> Outcome:
        """Read a stream whole and in pieces, and as others read it."""
        try:
            steps = await self._ours.read([stream] if stream else [])
            in_pieces = await self._ours.read(split(stream, cuts))
        except Fault as fault:
            return Outcome([], [Finding("ours", "fault", str(fault), is_failure=True)])
        findings = []
        if in_pieces != steps:
            text = "The same bytes in pieces are read differently."
            findings.append(Finding("ours", "split", text, is_failure=True))
        theirs = {name: await _align(stream, steps, read) for name, read in self._others.items()}
        for place, step in enumerate(steps):
            others = {name: other_steps[place] for name, other_steps in theirs.items()}
            findings += _compare(step, others, MessageView(stream[step.start :]))
        return Outcome(steps, findings)


def _compare(ours: Step, theirs: dict[str, Step], message: MessageView) -> list[Finding]:
    findings = []
    is_excused = False
    for other, step in theirs.items():
        for part in _differing(ours, step):
            found = Difference(other, part, ours, step, message)
            rule = explain(found)
            findings.append(_describe(found, rule))
            is_excused = is_excused or rule in EXCUSES
    if _is_against_all(ours, list(theirs.values())) and not is_excused:
        text = "We accept what both others refuse, or end it elsewhere."
        findings.append(Finding("both", "against both", text, is_failure=True))
    return findings


async def _align(stream: bytes, steps: list[Step], read: Reader) -> list[Step]:
    """Return another server's step for each of ours.

    Where it has come to read differently it is asked anew from our next message on.
    """
    aligned: list[Step] = []
    left: list[Step] = []
    base = 0
    for step in steps:
        if not left:
            base = step.start or 0
            left = await read(stream[base:])
        theirs = left.pop(0)
        aligned.append(
            theirs if theirs.start is None else theirs._replace(start=theirs.start + base)
        )
        if any(_differing(step, aligned[-1])):
            left = []
    return aligned


def _differing(ours: Step, theirs: Step) -> Iterator[str]:
    """Yield what differs; statuses of refusals may."""
    if theirs.start not in (None, ours.start):
        yield "start"
    if ours.kind != theirs.kind:
        yield "kind"
    elif ours.request is not None and theirs.request is not None:
        for part in ours.request._fields:
            if getattr(ours.request, part) != getattr(theirs.request, part):
                yield part


def _describe(found: Difference, rule: Rule | None) -> Finding:
    kinds = f"we: {found.ours.kind}, they: {found.theirs.kind}"
    what = kinds if found.part == "kind" else found.part
    if rule is None:
        return Finding(found.other, f"UNEXPLAINED ({what})", "No rule.", is_failure=True)
    explanation = " ".join((rule.__doc__ or "").split())
    name = rule.__name__.replace("_", " ")
    return Finding(found.other, f"{name} ({what})", explanation, is_failure=False)


def _is_against_all(ours: Step, theirs: list[Step]) -> bool:
    if ours.request is None:
        return False
    body = ours.request.body
    return all(
        step.kind == REFUSED or (step.request is not None and step.request.body != body)
        for step in theirs
    )


Check = Callable[[bytes], Awaitable[bool]]


async def minimised(stream: bytes, is_example: Check) -> bytes:
    """Return a stream that is still an example, with what was found to be of no account left out.

    Larger parts are tried before smaller ones, `_MAX_TRIES` in all.
    """
    size = len(stream) // 2
    tries = 0
    while size:
        place = 0
        while place < len(stream) and tries < _MAX_TRIES:
            tries += 1
            shorter = stream[:place] + stream[place + size :]
            if await is_example(shorter):
                stream = shorter
            else:
                place += size
        size //= 2
    return stream
