"""What the files for supervisord promise, beside what the running node shows."""

import configparser
from pathlib import Path

import pytest
from service import ROOT

from app.settings import is_loopback
from app.settings_sources import load_settings

PROGRAMS = sorted((ROOT / "conf/programs").glob("*.conf"))


def read(path: Path) -> configparser.ConfigParser:
    # systemd gives some names several times.
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read(path)
    return parser


@pytest.fixture
def supervisord() -> configparser.ConfigParser:
    return read(ROOT / "conf/supervisord.conf")


@pytest.fixture(params=PROGRAMS, ids=lambda path: path.stem)
def program(request: pytest.FixtureRequest) -> configparser.SectionProxy:
    parser = read(request.param)
    (section,) = parser.sections()
    assert section == f"program:{request.param.stem}"
    return parser[section]


def test_supervisord_is_spoken_to_over_its_socket_alone_and_by_its_user_alone(
    supervisord: configparser.ConfigParser,
) -> None:
    assert "inet_http_server" not in supervisord
    assert supervisord["unix_http_server"]["chmod"] == "0700"
    assert supervisord["supervisord"]["umask"] == "077"


def test_supervisord_asks_for_enough_descriptors_and_puts_its_log_aside(
    supervisord: configparser.ConfigParser,
) -> None:
    assert supervisord["supervisord"].getint("minfds") >= 4096
    assert supervisord["supervisord"].getint("logfile_backups") > 0
    assert supervisord["supervisord"]["logfile_maxbytes"] == "10MB"


def test_what_a_program_logs_is_put_aside(program: configparser.SectionProxy) -> None:
    streams = ["stdout"] if program.getboolean("redirect_stderr") else ["stdout", "stderr"]
    for stream in streams:
        assert program[f"{stream}_logfile"].startswith("%(here)s/../../log/")
        assert program[f"{stream}_logfile_maxbytes"].endswith("MB")
        assert 0 < program.getint(f"{stream}_logfile_backups") <= 5


def test_a_program_is_started_again_whatever_it_ended_with(
    program: configparser.SectionProxy,
) -> None:
    assert program.getboolean("autostart")
    assert program["autorestart"] == "true"


def test_a_program_that_cannot_start_is_tried_for_years(
    program: configparser.SectionProxy,
) -> None:
    # Supervisord's n-th pause lasts n seconds.
    retries = program.getint("startretries")
    assert retries * (retries + 1) / 2 > 10 * 365 * 24 * 3600


def test_systemd_starts_a_node_again_however_often_it_has_failed() -> None:
    # Its own limit is five starts in ten seconds, and then none.
    service = read(ROOT / "conf/todo.service")
    assert service["Service"]["Restart"] == "always"
    assert service["Unit"]["StartLimitIntervalSec"] == "0"
    assert service["Service"].getint("RestartSec") > 0


def test_the_service_is_killed_only_if_it_takes_longer_than_its_own_drain() -> None:
    settings = load_settings({}, {}, ROOT / "conf/node.todo.conf").settings
    program = read(ROOT / "conf/programs/todo-PORT.conf")["program:todo-PORT"]
    assert program["stopsignal"] == "TERM"
    assert program.getint("stopwaitsecs") > settings.drain_seconds + settings.drain_idle_seconds


def test_a_node_as_it_is_copied_serves_whoever_nginx_lets_in_under_this_machines_names() -> None:
    settings = load_settings({}, {}, ROOT / "conf/node.todo.conf").settings
    assert is_loopback(settings.host)  # So is nginx: tests/nginx/test_configuration.py.
    assert (settings.anonymous, settings.hosts) == ("write", "loopback")


def test_nginx_is_killed_only_if_it_takes_longer_than_it_gives_old_workers() -> None:
    program = read(ROOT / "conf/programs/nginx.conf")["program:nginx"]
    assert program["stopsignal"] == "QUIT"
    nginx = (ROOT / "conf/nginx/nginx.conf").read_text()
    assert "worker_shutdown_timeout 30s;" in nginx
    assert program.getint("stopwaitsecs") > 30
