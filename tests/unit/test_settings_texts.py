"""What is written of the settings: the listing, the help, the example file, the README's table."""

import re
from pathlib import Path

from app.settings import TABLE, Settings
from app.settings_sources import (
    SettingsParser,
    add_flags,
    example_config,
    load_settings,
    render_settings,
    settings_table_markdown,
)

EXAMPLE_FILE = Path(__file__).parents[2] / "conf" / "todo.conf.example"


def test_the_listing_has_a_line_for_every_setting_in_aligned_columns():
    loaded = load_settings({"port": "8001"}, {"TODO_ACCESS_LOG": "off"}, None)
    lines = render_settings(loaded).split("\n")
    assert [line.split()[0] for line in lines] == ["name", *TABLE]
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines}
    assert rows["port"] == ["8001", "flag --port"]
    assert rows["access_log"] == ["false", "environment TODO_ACCESS_LOG"]
    value_at, origin_at = lines[0].index("value"), lines[0].index("origin")
    assert all(line[value_at - 1] == line[origin_at - 1] == " " for line in lines)
    assert all(line[value_at] != " " and line[origin_at] != " " for line in lines)


def test_help_describes_every_setting_once_with_default_and_unit(monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    parser = SettingsParser(prog="run.py")
    add_flags(parser)
    text = parser.format_help()
    described = re.split(r"\n(?=  -|\n)", text)
    for row in TABLE.values():
        entries = [entry for entry in described if re.match(rf"  {row.flags[0]}[ ,]", entry)]
        assert len(entries) == 1, row.name
        assert f"default {row.text(row.default)})" in entries[0]
        assert row.help in entries[0]
        assert row.unit in entries[0]
    for heading in ("settings", "listening", "servers", "limits", "time limits", "logging"):
        assert text.count(f"\n{heading}:\n") == 1


def test_only_the_flags_asked_for_are_added():
    parser = SettingsParser(prog="run.py")
    add_flags(parser, ["mongo_uri", "data_dir"])
    text = parser.format_help()
    assert "--mongo-uri URI" in text
    assert "--config FILE" in text
    assert "--port" not in text


def test_the_example_file_is_the_one_the_table_makes():
    assert EXAMPLE_FILE.read_text(encoding="utf-8") == example_config()


def test_the_example_file_changes_nothing_as_it_stands():
    loaded = load_settings({}, {}, EXAMPLE_FILE)
    assert set(loaded.origins.values()) == {"default"}


def test_the_example_file_with_every_setting_uncommented_loads_to_the_defaults(tmp_path):
    text = re.sub(r"^#(?=\w)", "", example_config(), flags=re.MULTILINE)
    config = tmp_path / "x.conf"
    config.write_text(text, encoding="utf-8")
    loaded = load_settings({}, {}, config)
    assert loaded.settings == Settings()
    lines = text.split("\n")
    for name, origin in loaded.origins.items():
        line = lines[int(origin.removeprefix(f"file {config}:")) - 1]
        assert line.startswith(f"{name} = ")


def test_the_readme_table_has_a_row_of_four_columns_for_every_setting():
    header, rule, *rows = settings_table_markdown().splitlines()
    assert rule == "| --- | --- | --- | --- |"
    assert all(line.count("|") == 5 for line in (header, *rows))
    for row, line in zip(TABLE.values(), rows, strict=True):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[0] == f"`{row.name}`"
        assert f"`{row.flags[0]}`" in cells[1]
        assert f"`{row.variable}`" in cells[1]
        assert cells[2] == f"`{row.text(row.default)}`"
        assert row.limits in cells[3]
