from pathlib import Path

import pytest

from app.settings import TABLE, Settings, SettingsError
from app.settings_sources import (
    SettingsParser,
    add_flags,
    given_flags,
    load_settings,
    render_settings,
)


@pytest.fixture(autouse=True)
def _working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write_config(text, name="x.conf"):
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def error_of(*, flags=None, environ=None, config=None):
    path = None if config is None else write_config(config)
    with pytest.raises(SettingsError) as caught:
        load_settings(flags or {}, environ or {}, path)
    return str(caught.value)


def parse(*arguments):
    parser = SettingsParser(prog="run.py")
    add_flags(parser)
    return parser.parse_args(arguments)


# --- Where values come from ---


@pytest.mark.parametrize(
    ("config", "environ", "flags", "port", "origin"),
    [
        (None, {}, {}, 8000, "default"),
        ("[todo]\n\nport = 1\n", {}, {}, 1, "file x.conf:3"),
        (None, {"TODO_PORT": "2"}, {}, 2, "environment TODO_PORT"),
        (None, {}, {"port": "3"}, 3, "flag --port"),
        ("[todo]\nport = 1\n", {"TODO_PORT": "2"}, {}, 2, "environment TODO_PORT"),
        ("[todo]\nport = 1\n", {}, {"port": "3"}, 3, "flag --port"),
        (None, {"TODO_PORT": "2"}, {"port": "3"}, 3, "flag --port"),
        ("[todo]\nport = 1\n", {"TODO_PORT": "2"}, {"port": "3"}, 3, "flag --port"),
    ],
)
def test_the_later_source_wins_and_is_named(config, environ, flags, port, origin):
    loaded = load_settings(flags, environ, None if config is None else write_config(config))
    assert (loaded.settings.port, loaded.origins["port"]) == (port, origin)


def test_every_setting_has_an_origin():
    assert dict(load_settings({}, {}, None).origins) == dict.fromkeys(TABLE, "default")


@pytest.mark.parametrize("name", TABLE)
def test_every_setting_is_read_from_every_source(name):
    text = TABLE[name].text(TABLE[name].default)
    config = write_config(f"[todo]\n{name} = {text}\n")
    for flags, environ, path in (
        ({name: text}, {}, None),
        ({}, {TABLE[name].variable: text}, None),
        ({}, {}, config),
    ):
        loaded = load_settings(flags, environ, path)
        assert loaded.settings == Settings()
        assert loaded.origins[name] != "default"


def test_the_config_variable_names_the_file():
    path = write_config("[todo]\nport = 1\n")
    assert load_settings({}, {"TODO_CONFIG": str(path)}, None).settings.port == 1


def test_the_config_flag_wins_over_the_config_variable():
    chosen = write_config("[todo]\nport = 1\n", "chosen.conf")
    other = write_config("[todo]\nport = 2\n", "other.conf")
    assert load_settings({}, {"TODO_CONFIG": str(other)}, chosen).settings.port == 1


def test_variables_of_other_programs_are_left_alone():
    assert load_settings({}, {"PORT": "1", "TODOTXT": "x"}, None).settings == Settings()


# What Kubernetes sets in every pod beside a Service called todo that has one port, and for one
# called todo-redis.
SERVICE_LINKS = {
    "TODO_SERVICE_HOST": "10.0.0.1",
    "TODO_SERVICE_PORT": "8000",
    "TODO_SERVICE_PORT_HTTP": "8000",
    "TODO_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "TODO_PORT_8000_TCP_PROTO": "tcp",
    "TODO_PORT_8000_TCP_PORT": "8000",
    "TODO_PORT_8000_TCP_ADDR": "10.0.0.1",
    "TODO_REDIS_SERVICE_HOST": "10.0.0.2",
    "TODO_REDIS_SERVICE_PORT": "6379",
    "TODO_REDIS_PORT": "tcp://10.0.0.2:6379",
}


def test_what_kubernetes_sets_for_a_service_of_our_name_is_left_alone_in_silence():
    loaded = load_settings({}, SERVICE_LINKS, None)
    assert (loaded.settings, loaded.ignored) == (Settings(), ())


@pytest.mark.parametrize("scheme", ["tcp", "udp", "sctp"])
def test_a_port_that_is_the_address_of_a_kubernetes_service_is_ignored_and_told(scheme):
    loaded = load_settings({}, {"TODO_PORT": f"{scheme}://10.0.0.1:8000"}, None)
    assert (loaded.settings.port, loaded.origins["port"]) == (8000, "default")
    (sentence,) = loaded.ignored
    assert sentence.startswith("TODO_PORT is ignored: it holds no number but the address of a Kub")


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("TODO_PROT", "TODO_PORT"),
        ("TODO_port", "TODO_PORT"),
        ("TODO_MONGO_URL", "TODO_MONGO_URI"),
        ("TODO_CONFIGS", "TODO_CONFIG"),
    ],
)
def test_a_variable_that_looks_misspelt_is_ignored_and_the_nearest_name_told(variable, near):
    loaded = load_settings({}, {variable: "mongodb://u:secret@h"}, None)
    assert loaded.settings == Settings()
    assert loaded.ignored == (f"{variable} is ignored, it is no setting: did you mean {near}?",)


def test_variables_of_another_program_called_todo_are_ignored_and_told_in_one_sentence():
    loaded = load_settings({}, {"TODO_XYT": "1", "TODO_FILE": "/a"}, None)
    assert loaded.settings == Settings()
    assert loaded.ignored == ("ignored, since they are no settings: TODO_FILE, TODO_XYT",)


def test_a_switch_turned_off_is_reported_as_the_flag_that_was_typed():
    given = given_flags(parse("--no-access-log", "--mongo-journal"))
    loaded = load_settings(given, {}, None)
    assert loaded.settings.access_log is False
    assert loaded.origins["access_log"] == "flag --no-access-log"
    assert loaded.origins["mongo_journal"] == "flag --mongo-journal"


def test_a_percent_sign_a_hash_and_a_colon_in_the_file_are_ordinary_text():
    path = write_config("[todo]\nmongo_uri = mongodb://u:p%40#x@h:27017/?a=b\n")
    settings = load_settings({}, {}, path).settings
    assert settings.mongo_uri == "mongodb://u:p%40#x@h:27017/?a=b"


def test_a_byte_order_mark_in_the_file_is_no_obstacle():
    path = write_config("\ufeff[todo]\nport = 1\n")
    assert load_settings({}, {}, path).settings.port == 1


def test_flags_that_are_not_given_are_not_collected():
    assert given_flags(parse()) == {}
    parsed = parse("--port", "1", "--config", "c.conf", "--show-settings", "--max-start", "-5")
    assert given_flags(parsed) == {"port": "1", "max_start": "-5"}
    assert (parsed.config, parsed.show_settings) == (Path("c.conf"), True)


def test_a_tilde_in_a_path_is_the_home_directory() -> None:
    loaded = load_settings({"data_dir": "~/todos"}, {}, None)

    assert loaded.settings.data_dir == Path.home() / "todos"


# --- What is refused, and in which words ---


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("[todo]\nprot = 1\n", "unknown setting 'prot' in x.conf: did you mean 'port'?"),
        ("[todo]\nmax-body-byte = 1\n", "in x.conf: did you mean 'max_body_bytes'?"),
        ("[todo]\nxyzzy = 1\n", "unknown setting 'xyzzy' in x.conf: --help lists every setting"),
        ("[todo]\nport = 1\nport = 2\n", "x.conf:3 sets 'port' a second time"),
        ("[todo]\n[todo]\n", "x.conf:2 begins [todo] a second time"),
        ("port = 1\n", "x.conf:1 must stand in a section: put [todo] above it"),
        ("", "config file x.conf has no [todo] section"),
        ("[todos]\n", "unknown section [todos] in x.conf: only [todo] is read"),
        ("[DEFAULT]\nport = 1\n[todo]\n", "unknown section [DEFAULT] in x.conf: only [todo] is"),
        ("[todo]\nport\n", "x.conf:2 is not 'name = value'"),
        ("[todo]\nport =\n", "port must not be empty (file x.conf:2)"),
        (
            "[todo]\nmongo_uri = mongodb://a\n  port = 1\n",
            "mongo_uri must be one line of printable text (file x.conf:2)",
        ),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(config, sentence):
    error = error_of(config=config)
    assert sentence in error
    assert "\n" not in error


ADDRESSES_WITH_A_PASSWORD = ("mongodb://u:secret@h", "redis:/:secret@h", "u:secret/x@h")


@pytest.mark.parametrize("address", ADDRESSES_WITH_A_PASSWORD)
def test_an_address_in_the_place_of_a_path_is_refused_and_keeps_its_password(address, capsys):
    sentence = "must be a path on this machine, not an address"
    assert error_of(flags={"data_dir": address}).startswith(f"data_dir {sentence}")
    assert error_of(environ={"TODO_CONFIG": address}) == f"TODO_CONFIG {sentence}"
    with pytest.raises(SystemExit):
        parse(f"--config={address}")
    assert capsys.readouterr().err == f"run.py: argument --config: {sentence}\n"


@pytest.mark.parametrize("path", ["todo@home", "/srv/12:30/todo@home", "./a:b@c", "a:b", "//srv"])
def test_a_path_with_what_addresses_have_too_is_a_path(path):
    assert load_settings({"data_dir": path}, {}, None).settings.data_dir == Path(path)


def test_a_missing_file_is_refused():
    with pytest.raises(SettingsError, match=r"^config file no\.conf does not exist$"):
        load_settings({}, {}, Path("no.conf"))


def test_an_unreadable_file_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load_settings({}, {}, tmp_path)


def test_a_file_that_is_not_text_is_refused():
    Path("x.conf").write_bytes(b"[todo]\nhost = \xff\n")
    with pytest.raises(SettingsError, match=r"^config file x\.conf is not UTF-8 text$"):
        load_settings({}, {}, Path("x.conf"))


def test_an_unknown_flag_value_is_refused_with_the_nearest_name():
    assert error_of(flags={"prot": "1"}) == "unknown flag '--prot': did you mean '--port'?"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["--prot", "80"], "unknown flag '--prot': did you mean '--port'?"),
        (["--no-acess-log"], "unknown flag '--no-acess-log': did you mean '--no-access-log'?"),
        (["--max-body", "1"], "unknown flag '--max-body': did you mean '--max-body-bytes'?"),
        (["--mongo-url=mongodb://u:secret@h"], "'--mongo-url': did you mean '--mongo-uri'?"),
        (["port"], "unknown argument 'port': did you mean '--port'?"),
        (["--tt"], "unknown flag '--tt': --help lists every setting"),
        (["--port"], "argument --port: expected one argument"),
    ],
)
def test_the_command_line_is_refused_in_one_line_with_status_2(typed, sentence, capsys):
    with pytest.raises(SystemExit) as caught:
        parse(*typed)
    output = capsys.readouterr().err
    assert caught.value.code == 2
    assert output.startswith("run.py: ")
    assert output.endswith(f"{sentence}\n")
    assert output.count("\n") == 1
    assert "secret" not in output


def test_an_unknown_flag_of_a_subcommand_is_answered_with_the_flags_of_that_subcommand(capsys):
    parser = SettingsParser(prog="run.py")
    add_flags(parser.add_subparsers().add_parser("doctor"), ["mongo_uri"])
    with pytest.raises(SystemExit):
        parser.parse_args(["doctor", "--mongo-url", "x"])
    assert "did you mean '--mongo-uri'?" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["mongo_uri", "redis_url"])
def test_no_error_repr_or_listing_shows_a_password(name):
    scheme = TABLE[name].schemes[0]
    loaded = load_settings({name: f"{scheme}user:secret@host"}, {}, None)
    assert f"{scheme}user:***@host" in render_settings(loaded)
    assert "secret" not in render_settings(loaded) + repr(loaded)
    assert "secret" not in error_of(flags={name: "http://user:secret@host"})
    assert "secret" not in error_of(config=f"[todo]\n{scheme}user;secret@host\n")
