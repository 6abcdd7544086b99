"""The README's first session, typed as it stands there."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from service import DEADLINE_SECONDS, ROOT, Service, environment

README = ROOT / "README.md"
HEADING = "## A first session"
README_PORT = 8000
END_OF_OUTPUT = "-- end of output --"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# What differs from run to run; a value that comes again must come again in the session, too.
VARYING = (
    ("id", re.compile(r"\b[0-9a-f]{24}\b")),
    ("request", re.compile(r"(?<=urn:request:)[0-9a-f]+")),
    ("time", re.compile(r"\b1\d{9}(?:\.\d+)?\b")),
)


@dataclass
class Step:
    """A command and what it should print."""

    command: str
    output: list[str] = field(default_factory=list)


def read_steps(text: str) -> list[Step]:
    """Return the commands in the console blocks of the README's section, with their outputs."""
    _, heading, rest = text.partition(f"{HEADING}\n")
    assert heading, f"README.md has no section {HEADING!r}"
    section = re.split(r"^## ", rest, flags=re.MULTILINE)[0]
    blocks = re.findall(r"^```console\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert blocks, f"README.md has no console block in {HEADING!r}"
    steps: list[Step] = []
    for block in blocks:
        assert block.startswith("$ "), f"a console block begins without a command:\n{block}"
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append(Step(line.removeprefix("$ ")))
            else:
                steps[-1].output.append(line)
    return steps


def perform(steps: list[Step], *, port: int, config_dir: Path) -> list[Step]:
    """Run the commands in one shell and return them with what they printed."""
    # The shell has a terminal to write to, as a user's has: httpie formats what goes to one and
    # leaves what goes into a pipe as it came.
    (config_dir / "config.json").write_text(json.dumps({"default_options": ["--ignore-stdin"]}))
    script = [
        line
        for step in steps
        for line in (
            re.sub(rf":{README_PORT}\b", f":{port}", step.command),
            f"echo '{END_OF_OUTPUT}'",
        )
    ]
    variables = {
        "HTTPIE_CONFIG_DIR": str(config_dir),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUTF8": "1",
    }
    master, slave = pty.openpty()
    (config_dir / "session.sh").write_text("\n".join(script), encoding="utf-8")
    shell = subprocess.Popen(
        ["sh", str(config_dir / "session.sh")],
        env=environment() | variables,
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    printed = _COLOUR.sub("", read_terminal(master)).replace("\r", "")
    assert shell.wait(DEADLINE_SECONDS) == 0
    outputs = printed.split(f"{END_OF_OUTPUT}\n")
    return [
        Step(step.command, output.strip("\n").splitlines())
        for step, output in zip(steps, outputs, strict=False)
    ]


def read_terminal(master: int) -> str:
    """Return all that is written to a terminal until nobody has it open; closes it."""
    with os.fdopen(master, "rb", buffering=0) as terminal:
        pieces = []
        with suppress(OSError):  # EIO: how Linux reports the end of a terminal, see pty(7).
            while piece := terminal.read(65536):
                pieces.append(piece)
    return b"".join(pieces).decode()


def transcript(steps: list[Step]) -> list[str]:
    """Return a session with its varying values named in the order of their appearance."""
    text = "\n".join(line for step in steps for line in (f"$ {step.command}", *step.output))
    for kind, pattern in VARYING:
        names: dict[str, str] = {}
        for value in pattern.findall(text):
            names.setdefault(value, f"<{kind} {len(names) + 1}>")
        text = pattern.sub(lambda match, names=names: names[match[0]], text)
    return text.splitlines()


def test_the_first_session_of_the_readme_goes_as_the_readme_says(
    start: Callable[..., Service], backend_flags: tuple[str, ...], tmp_path: Path
) -> None:
    written = read_steps(README.read_text(encoding="utf-8"))
    service = start(*backend_flags)
    performed = perform(written, port=service.port, config_dir=tmp_path)
    assert transcript(performed) == transcript(written), "README.md has drifted"
