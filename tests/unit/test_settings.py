from dataclasses import FrozenInstanceError, replace

import pytest

from app.settings import TABLE, Settings, SettingsError
from app.settings_row import redact
from app.settings_sources import load_settings


def error_of(name, text):
    with pytest.raises(SettingsError) as caught:
        load_settings({}, {TABLE[name].variable: text}, None)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("max_body_bytes", "12", "must be between 1024 and 16777216 bytes, not 12"),
        ("max_body_bytes", "16777217", "must be between 1024 and 16777216 bytes, not 16777217"),
        ("port", "65536", "must be between 0 and 65535, not 65536"),
        ("port", "-1", "must be between 0 and 65535, not -1"),
        ("port", "80.0", "must be a whole number, not '80.0'"),
        ("port", "", "must not be empty"),
        ("data_dir", " ", "must not be empty"),
        ("drain_seconds", "soon", "must be a number, not 'soon'"),
        ("drain_seconds", "nan", "must be between 0.0 and 3600.0 seconds, not nan"),
        ("drain_seconds", "inf", "must be between 0.0 and 3600.0 seconds, not inf"),
        ("log_level", "loud", "must be debug, info, warning or error, not 'loud'"),
        ("log_format", "xml", "must be auto, console or json, not 'xml'"),
        ("access_log", "2", "must be one of true, yes, on, 1, false, no, off, 0, not '2'"),
        ("mongo_uri", "none", "must be embedded, mongodb://... or mongodb+srv://..."),
        (
            "redis_url",
            "http://h",
            "must be embedded, none, redis://..., rediss://... or unix://...",
        ),
        *(
            (
                "mongo_write_concern",
                text,
                f"must be majority or a number of members between 1 and 50, not '{text}'",
            )
            for text in ("0", "51", "-1", "all", "1 ", "\u0663")
        ),
        ("host", "a\nb", "must be one line of printable text"),
    ],
)
def test_a_wrong_value_is_refused_with_its_limits_and_its_place(name, text, sentence):
    assert error_of(name, text) == f"{name} {sentence} (environment {TABLE[name].variable})"


def test_values_are_checked_wherever_settings_are_made():
    with pytest.raises(SettingsError, match="max_body_bytes must be between"):
        Settings(max_body_bytes=12)
    with pytest.raises(SettingsError, match="port must be between"):
        replace(Settings(), port=65536)


def test_settings_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1


@pytest.mark.parametrize(
    ("text", "value"),
    [(text, True) for text in ("true", "yes", "on", "1", "True", "ON")]
    + [(text, False) for text in ("false", "no", "off", "0", "False", "NO")],
)
def test_the_usual_words_for_true_and_false_are_understood(text, value):
    assert load_settings({}, {"TODO_ACCESS_LOG": text}, None).settings.access_log is value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mongo_uri", "mongodb://h"),
        ("mongo_uri", "mongodb+srv://h"),
        ("redis_url", "none"),
        ("redis_url", "redis://h"),
        ("redis_url", "rediss://h"),
        ("redis_url", "unix:///run/redis.sock"),
        *(("mongo_write_concern", text) for text in ("1", "9", "10", "50")),
    ],
)
def test_every_form_of_address_and_write_concern_is_accepted(name, text):
    assert getattr(load_settings({name: text}, {}, None).settings, name) == text


# --- Who can reach the service ---

PUBLIC_HOSTS = ["0.0.0.0", "::", "10.1.2.3", "example.org", "::ffff:10.1.2.3", "localhost.example"]


@pytest.mark.parametrize("host", PUBLIC_HOSTS)
def test_a_public_address_is_refused_without_the_flag(host):
    error = error_of("host", host)
    assert error.startswith(f"host '{host}' is not a loopback address")
    assert error.endswith("set allow_public to listen there all the same (environment TODO_HOST)")


@pytest.mark.parametrize("host", PUBLIC_HOSTS)
def test_a_public_address_is_allowed_with_the_flag(host):
    assert load_settings({"host": host, "allow_public": "true"}, {}, None).settings.host == host


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:80", "localhost:80", "[::1]", "[::1]:80", "http://127.0.0.1", "127.0.0.1/", "a b"],
)
def test_what_is_more_than_a_host_is_told_so_instead_of_the_flag_for_public_ones(host):
    error = error_of("host", host)
    assert error.startswith("host must be an address or a name without scheme, brackets and port")
    assert "allow_public" not in error


@pytest.mark.parametrize(
    "hosts", ["", "todo.example.org:8000", "http://todo.example.org", "a,,b", "::1", "a b", "*"]
)
def test_hosts_are_names_without_ports(hosts):
    assert error_of("hosts", hosts).startswith("hosts must ")


@pytest.mark.parametrize("name", ["host", "hosts", "trusted_proxies", "anonymous"])
def test_an_address_that_stands_in_another_setting_keeps_its_password(name):
    for address in ("mongodb://u:secret@h", "redis://:secret@h", "mongodb://u:sec,ret@h"):
        error = error_of(name, address)
        assert "sec" not in error
        assert "ret@" not in error


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_loopback_needs_no_flag(host):
    assert load_settings({"host": host}, {}, None).settings.host == host


# --- The rules of the table ---


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("embedded", "embedded"),
        ("mongodb://host:27017/todo?w=1", "mongodb://host:27017/todo?w=1"),
        ("mongodb://user@host", "mongodb://user@host"),
        ("mongodb://user:secret@host", "mongodb://user:***@host"),
        ("mongodb://user:secret@a:1,b:2/?w=1", "mongodb://user:***@a:1,b:2/?w=1"),
        ("mongodb://user:sec/r@e?t@host", "mongodb://user:***@host"),
        ("mongodb://user:s%zzecret@host", "mongodb://user:***@host"),
        ("mongodb://user:s#ec:ret@host", "mongodb://user:***@host"),
        ("mongodb://us@er:secret@host", "mongodb://us:***@host"),
        ("mongodb://user%3Asecret@host", "mongodb://user:***@host"),
        ("MONGODB://user:secret@host", "MONGODB://user:***@host"),
        ("mongodb:/user:secret@host", "mongodb:/user:***@host"),
        ("mongodb//user:secret@host", "mongodb:***@host"),
        ("mongo://user:secret@host", "mongo://user:***@host"),
        ("user:secret@host", "user:***@host"),
        ("mongodb://user:secret", "mongodb://user:***"),
        ("mongodb://user:secret/todo", "mongodb://user:***/todo"),
        ("mongodb://[::1]:27017,[::2]/", "mongodb://[::1]:27017,[::2]/"),
        (
            "mongodb://h/?a=1;tlsCertificateKeyFilePassword=s;b=2",
            "mongodb://h/?a=1;tlsCertificateKeyFilePassword=***;b=2",
        ),
        ("redis://secret@host/0", "redis://***@host/0"),
        ("redis:secret@host", "redis:***@host"),
        ("unix://user:secret@/redis.sock?db=1", "unix://user:***@/redis.sock?db=1"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("--port", "--port"),
        ("redis://:secret@host/0", "redis://:***@host/0"),
        ("redis://host?db=1&password=secret&a=b", "redis://host?db=1&password=***&a=b"),
        (
            "mongodb://h/?tlsCertificateKeyFilePassword=s",
            "mongodb://h/?tlsCertificateKeyFilePassword=***",
        ),
        ("mongodb://h/?authMechanismProperties=T:s", "mongodb://h/?authMechanismProperties=***"),
    ],
)
def test_passwords_in_addresses_are_hidden(address, shown):
    assert redact(address) == shown


def test_every_number_has_limits_and_a_reason_and_its_unit_in_its_name():
    for row in TABLE.values():
        assert row.help
        if row.kind in (int, float):
            assert float("-inf") < row.minimum < row.maximum < float("inf")
            assert row.reason
        if row.unit in ("seconds", "bytes"):
            assert row.name.endswith("_" + row.unit)
