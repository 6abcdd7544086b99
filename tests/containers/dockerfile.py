"""Reads a Dockerfile, as far as ours goes: no heredocs, no parser directives."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One instruction; ``text`` is what follows its name and its flags (``--from=build``)."""

    name: str
    flags: tuple[str, ...]
    text: str

    def exec_form(self) -> list[str]:
        """Return the words of a command that no shell reads.

        Raises:
            ValueError: a shell reads it.
        """
        words: list[str] = json.loads(self.text)
        return words

    def pairs(self) -> dict[str, str]:
        """Return the names and values of an ENV or a LABEL."""
        return dict(word.split("=", 1) for word in shlex.split(self.text))


@dataclass(frozen=True)
class Stage:
    """What stands between one FROM and the next."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def all(self, name: str) -> list[Instruction]:
        """Return the instructions of that name."""
        return [one for one in self.instructions if one.name == name]

    def last(self, name: str) -> Instruction:
        """Return the instruction of that name that counts."""
        return self.all(name)[-1]

    def environment(self) -> dict[str, str]:
        """Return what its ENV instructions set."""
        return {name: value for one in self.all("ENV") for name, value in one.pairs().items()}

    def copied(self) -> list[tuple[str, str]]:
        """Return from where to where its COPY instructions copy what is in the build context."""
        pairs = []
        for one in self.all("COPY"):
            if not any(flag.startswith("--from=") for flag in one.flags):
                *sources, target = shlex.split(one.text)
                pairs += [(source, target) for source in sources]
        return pairs


def read_dockerfile(path: Path) -> dict[str, Stage]:
    """Return the stages of a Dockerfile by name, in order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    stages: dict[str, list[Instruction]] = {}
    bases: dict[str, str] = {}
    stage = ""
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if not line.strip():
            continue
        one = _instruction(line)
        if one.name == "FROM":
            base, _, stage = one.text.split()
            bases[stage], stages[stage] = base, []
        else:
            stages[stage].append(one)
    return {name: Stage(name, bases[name], tuple(found)) for name, found in stages.items()}


def _instruction(line: str) -> Instruction:
    name, rest = line.split(maxsplit=1)
    flags = []
    while rest.startswith("--"):
        flag, rest = rest.split(maxsplit=1)
        flags.append(flag)
    return Instruction(name, tuple(flags), rest)
