"""Where settings come from: the config file, the environment, flags; and their table as text."""

import argparse
import configparser
import logging
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from app.log import is_json
from app.path_flag import path_flag
from app.settings import TABLE, Settings
from app.settings_environment import CONFIG_VARIABLE, Found, from_environment, nearest
from app.settings_row import NO_ADDRESS, Setting, SettingsError, is_address, quoted, redact
from app.standard_streams import show, tell

log = logging.getLogger(__name__)

SECTION = "todo"
CONFIG_FILE_HEAD = f"""\
# Settings of the todo service, each with its default. To change one, remove the # before its name.
# Start with --config FILE or {CONFIG_VARIABLE}=FILE.
# A TODO_* variable wins over this file, a flag over both.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSettings:
    """Settings, and for each by name the source its value came from, such as ``flag --port``."""

    settings: Settings
    origins: Mapping[str, str]
    ignored: Sequence[str]
    """A sentence for each ``TODO_*`` variable that is not read as a setting, and why."""


def load_settings(
    flags: Mapping[str, str], environ: Mapping[str, str], config_file: Path | None
) -> LoadedSettings:
    """Build the settings: defaults < config file < environment < flags.

    Args:
        flags: text of each flag given, by setting name; see `given_flags`.
        environ: the process's environment. Of its ``TODO_*`` variables those named like a setting
            count; others may be another program's.
        config_file: what ``--config`` named; without it, ``TODO_CONFIG`` may name a file.

    Raises:
        SettingsError: one sentence on the first thing that is wrong, with its place.

    """
    if config_file is None and CONFIG_VARIABLE in environ:
        if is_address(environ[CONFIG_VARIABLE]):
            raise SettingsError(f"{CONFIG_VARIABLE} {NO_ADDRESS}")
        config_file = Path(environ[CONFIG_VARIABLE])
    found: Found = {} if config_file is None else _from_file(config_file)
    variables, ignored = from_environment(environ)
    found |= variables
    found |= _from_flags(flags)

    origins = dict.fromkeys(TABLE, "default") | {name: at for name, (_, at) in found.items()}
    try:
        values: dict[str, Any] = {
            name: TABLE[name].parse(text) for name, (text, _) in found.items()
        }
        settings = Settings(**values)
    except SettingsError as error:
        raise SettingsError(
            f"{error} ({origins[error.setting_name]})", setting_name=error.setting_name
        ) from None
    return LoadedSettings(
        settings=settings, origins=MappingProxyType(origins), ignored=tuple(ignored)
    )


def _from_flags(flags: Mapping[str, str]) -> Found:
    found: Found = {}
    for name, text in flags.items():
        if name not in TABLE:
            known = [flag for row in TABLE.values() for flag in row.flags]
            raise SettingsError(unknown("flag", "--" + name.replace("_", "-"), known))
        negated = TABLE[name].kind is bool and text == "false"
        found[name] = (text, f"flag {TABLE[name].flags[negated]}")
    return found


def _from_file(path: Path) -> Found:
    text = _read(path)
    section = _parse(text, path)
    # The parser keeps no line numbers, but it has made sure that a name starts one line only.
    lines = {
        re.split("[=:]", line)[0].strip().lower(): number
        for number, line in enumerate(text.split("\n"), start=1)
    }
    found: Found = {}
    for name, value in section.items():
        if name not in TABLE:
            raise SettingsError(unknown("setting", name, TABLE, place=f" in {path}"))
        found[name] = (value, f"file {path}:{lines[name]}")
    return found


def _read(path: Path) -> str:
    try:
        # Editors on Windows put a byte order mark first.
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"config file {path} does not exist") from None
    except OSError as error:
        raise SettingsError(f"config file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"config file {path} is not UTF-8 text") from None


def _parse(text: str, path: Path) -> Mapping[str, str]:
    # No header can spell the empty default section, so [DEFAULT] is as unknown as any other.
    parser = configparser.RawConfigParser(default_section="", empty_lines_in_values=False)
    try:
        parser.read_string(text)
    except configparser.DuplicateOptionError as error:
        raise SettingsError(
            f"{path}:{error.lineno} sets {quoted(error.option)} a second time"
        ) from None
    except configparser.DuplicateSectionError as error:
        raise SettingsError(
            f"{path}:{error.lineno} begins [{error.section}] a second time"
        ) from None
    except configparser.MissingSectionHeaderError as error:
        raise SettingsError(
            f"{path}:{error.lineno} must stand in a section: put [{SECTION}] above it"
        ) from None
    except configparser.ParsingError as error:
        # SECURITY: the line itself is not shown; it may hold a password.
        raise SettingsError(f"{path}:{error.errors[0][0]} is not 'name = value'") from None
    for section in parser.sections():
        if section != SECTION:
            raise SettingsError(
                f"unknown section [{redact(section)}] in {path}: only [{SECTION}] is read"
            )
    if not parser.has_section(SECTION):
        raise SettingsError(f"config file {path} has no [{SECTION}] section")
    return dict(parser.items(SECTION))


def unknown(what: str, wrong: str, known: Iterable[str], *, place: str = "") -> str:
    """Return the sentence for a name that is not known, with the nearest one that is."""
    near = nearest(wrong, known)
    hint = f"did you mean {near!r}?" if near else "--help lists every setting"
    return f"unknown {what} {quoted(wrong)}{place}: {hint}"


class SettingsParser(argparse.ArgumentParser):
    """A parser that takes no shortened flags and answers an unknown one with the nearest."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, **kwargs)

    def parse_known_args(
        self, args: Iterable[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse, and end the process with status 2 if anything is left over.

        `parse_args` calls this; of a subcommand's parser, argparse calls nothing else.
        """
        parsed, left_over = super().parse_known_args(args, namespace)
        if left_over:
            # SECURITY: what follows "=" is not shown; it may hold a password.
            wrong = left_over[0].partition("=")[0]
            what = "flag" if wrong.startswith("-") else "argument"
            self.error(unknown(what, wrong, self._option_string_actions))
        return parsed, []

    def _print_message(self, message: str, file: Any = None) -> None:
        # argparse's own says nothing of what could not be written.
        text = message.removesuffix("\n")
        if file is sys.stdout:
            show(text)
        else:
            tell(text, file)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, without the usage that would bury it, and exit 2."""
        # SECURITY: argparse repeats what was given, which may be an address with a password.
        message = re.sub("ignored explicit argument .*", "takes no value", message)
        if is_json():
            log.critical("%s", message)
            self.exit(2)
        self.exit(2, f"{self.prog}: {message}\n")


class _BooleanFlag(argparse.Action):
    """``--name`` and ``--no-name`` as one entry of --help, stored as text like all other flags."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, str(option_string == self.option_strings[0]).lower())


def add_flags(parser: argparse.ArgumentParser, names: Sequence[str] | None = None) -> None:
    """Add the flags of the settings called `names` (all of them if None) to `parser`.

    With them come ``--config FILE`` (a `Path`) and ``--show-settings``.
    A flag that is not given leaves no attribute behind; `given_flags` collects those that are.
    """
    chosen = [TABLE[name] for name in (TABLE if names is None else names)]
    if names is None and parser.usage is None:
        # Two dozen flags in the usage line would bury the help below it.
        parser.usage = "%(prog)s [flags]"
    sources = parser.add_argument_group("settings")
    sources.add_argument(
        "--config",
        type=path_flag,
        metavar="FILE",
        help=f"read settings from FILE, with a [{SECTION}] section (or set {CONFIG_VARIABLE})",
    )
    sources.add_argument(
        "--show-settings", action="store_true", help="print every setting and its source, and exit"
    )
    for title, rows in groupby(chosen, key=lambda row: row.group):
        group = parser.add_argument_group(title.lower())
        for row in rows:
            details = filter(None, [row.limits, f"default {row.text(row.default)}"])
            text = f"{row.help} ({'; '.join(details)})"
            look: dict[str, Any] = (
                {"action": _BooleanFlag, "nargs": 0}
                if row.kind is bool
                else {"metavar": row.placeholder}
            )
            group.add_argument(*row.flags, default=argparse.SUPPRESS, help=text, **look)


def given_flags(namespace: argparse.Namespace) -> dict[str, str]:
    """Return the text of each setting that was given as a flag, by setting name."""
    return {name: text for name, text in vars(namespace).items() if name in TABLE}


def render_settings(loaded: LoadedSettings) -> str:
    """Lay out every setting in aligned columns: name, value (without passwords), origin."""
    lines = [("name", "value", "origin")]
    for row in TABLE.values():
        value = row.text(getattr(loaded.settings, row.name))
        lines.append((row.name, redact(value) if row.schemes else value, loaded.origins[row.name]))
    name_width, value_width = (max(len(line[column]) for line in lines) for column in (0, 1))
    return "\n".join(
        f"{name:{name_width}}  {value:{value_width}}  {origin}" for name, value, origin in lines
    )


def settings_table_markdown() -> str:
    """Return the table of settings for the README."""
    lines = [
        "| Setting | Flag and variable | Default | Values and meaning |",
        "| --- | --- | --- | --- |",
    ]
    for row in TABLE.values():
        names = ", ".join(f"`{name}`" for name in [*row.flags, row.variable])
        default, meaning = row.text(row.default), " ".join(_sentences(row))
        lines.append(f"| `{row.name}` | {names} | `{default}` | {meaning} |")
    return "\n".join(lines) + "\n"


def example_config() -> str:
    """Return ``conf/todo.conf.example``: every setting commented out, explained, at its default."""
    blocks = [CONFIG_FILE_HEAD + f"[{SECTION}]"]
    for title, rows in groupby(TABLE.values(), key=lambda row: row.group):
        blocks.append(f"# --- {title} ---")
        for row in rows:
            comment = [
                line
                for sentence in _sentences(row)
                for line in textwrap.wrap(sentence, 98, initial_indent="# ", subsequent_indent="# ")
            ]
            blocks.append("\n".join([*comment, f"#{row.name} = {row.text(row.default)}"]))
    return "\n\n".join(blocks) + "\n"


def _sentences(row: Setting) -> list[str]:
    meaning = row.help[0].upper() + row.help[1:]
    return [
        f"{meaning} ({row.limits})." if row.limits else f"{meaning}.",
        *filter(None, [row.reason]),
    ]
