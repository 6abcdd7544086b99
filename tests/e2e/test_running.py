"""From the command line to the first answer, and every way in which it can be given wrongly."""

import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import named, processes_in
from service import Service, run

from app import __version__
from app.cli import main
from app.embedded import room

Start = Callable[..., Service]

WRONG_USES = {
    "unknown flag": (["--prot", "1"], {}, "unknown flag '--prot': did you mean '--port'?"),
    "shortened flag": (["--mongo", "x"], {}, "unknown flag '--mongo'"),
    "unknown command": (["sede"], {}, "unknown command 'sede': did you mean 'seed'?"),
    "unknown flag of a command": (["serve", "--prot", "1"], {}, "did you mean '--port'?"),
    "unknown argument": (["serve", "me"], {}, "unknown argument 'me'"),
    "value that is no number": (
        ["--port", "http"],
        {},
        "port must be a whole number, not 'http' (flag --port)",
    ),
    "value out of range": (
        [],
        {"TODO_PORT": "65536"},
        "port must be between 0 and 65535, not 65536 (environment TODO_PORT)",
    ),
    "empty value": (["--port", ""], {}, "port must not be empty (flag --port)"),
    "missing value": (["--port"], {}, "--port: expected one argument"),
    "missing file": (["--config", "/no/such/file"], {}, "file /no/such/file does not exist"),
    "another scheme": (["--mongo-uri", "http://db"], {}, "mongo_uri must be embedded, mongodb://"),
    "host that is missing": (
        ["--mongo-uri", "mongodb://", "--redis-url", "none", "--port", "0"],
        {},
        "mongo_uri cannot be used: ",
    ),
    "options that exclude each other": (
        ["--mongo-uri=mongodb://a,b/?directConnection=true", "--redis-url=none", "--port=0"],
        {},
        "mongo_uri cannot be used: ",
    ),
    "public address": (["--host", "0.0.0.0"], {}, "without authentication"),
}


def test_the_banner_says_where_it_listens_where_data_lies_and_what_runs_and_data_survives(
    start: Start, data_dir: Path
) -> None:
    first = start(terminal=True)
    mongod, redis = named("mongod", data_dir), named("redis-server", data_dir)
    first.add("survive a restart")
    assert first.stop(signal.SIGINT) == 0
    address, data, running = first.output
    assert address == f"Todos {__version__} on http://127.0.0.1:{first.port}  (Ctrl-C stops)"
    assert data == f"  data in  {data_dir}"
    assert re.fullmatch(
        rf"  running  mongod [\d.]+ \(pid {mongod.pid}\), redis-server [\d.]+ \(pid {redis.pid}\)",
        running,
    )

    second = start()
    assert second.contents() == ["survive a restart"]
    assert second.stop(signal.SIGTERM) == 0


def test_a_second_process_shares_the_servers_of_a_data_directory_and_outlives_the_first(
    start: Start, data_dir: Path
) -> None:
    first = start()
    second = start()
    mongod = named("mongod", data_dir)
    first.add("written through the first")
    assert second.contents() == ["written through the first"]

    assert first.stop() == 0

    second.add("written when the first was gone")
    assert len(second.contents()) == 2
    assert named("mongod", data_dir) == mongod


def test_servers_that_run_already_are_named_in_the_banner_and_none_is_started(
    start: Start, backend_flags: tuple[str, ...], data_dir: Path
) -> None:
    service = start(*backend_flags, terminal=True)
    assert service.call("GET", "/readyz").status == 200
    assert not data_dir.exists()
    assert service.stop() == 0
    assert service.output[1:] == [
        f"  MongoDB  {backend_flags[1]}",
        f"  Redis    {backend_flags[3]}",
    ]


def test_the_banner_says_that_without_redis_there_must_be_no_other_process(
    start: Start, mongo_uri: str
) -> None:
    service = start("--mongo-uri", mongo_uri, "--redis-url=none", terminal=True)
    assert service.stop() == 0
    assert service.output[-1] == "  Redis    none: no other process may serve these todos"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_signal_ends_it_with_exit_code_0_and_nothing_but_json_on_its_log(
    start: Start, backend_flags: tuple[str, ...], number: signal.Signals
) -> None:
    service = start(*backend_flags)
    assert service.stop(number) == 0
    assert all(line.startswith('{"ts":') for line in service.log)


def test_it_starts_beside_a_kubernetes_service_of_its_name_and_other_programs_variables(
    backend_flags: tuple[str, ...],
) -> None:
    service = Service(
        *backend_flags,
        "--port=0",  # The default may be taken: somebody tries the service beside the tests.
        variables={
            "TODO_PORT": "tcp://10.0.0.1:8000",
            "TODO_SERVICE_HOST": "10.0.0.1",
            "TODO_MAX_STRAT": "1",
            "TODO_XYZZY": "1",
        },
    )
    try:
        service.wait_for_banner()
        assert service.stop() == 0
    finally:
        service.kill()
    told = [line for line in service.log if '"level":"warning"' in line]
    assert len(told) == 3
    assert "TODO_PORT is ignored" in told[0]
    assert "did you mean TODO_MAX_START?" in told[1]
    assert "TODO_XYZZY" in told[2]


def test_a_service_that_serves_nobody_says_so(start: Start, backend_flags: tuple[str, ...]) -> None:
    service = start(*backend_flags, "--trusted-proxies=127.0.0.1")
    service.wait_for_log("nobody is served: it is behind a proxy")
    answer = service.call("GET", "/v1/todos")
    assert (answer.status, answer.json()["type"]) == (403, "/problems/local-only")


def test_a_taken_port_is_one_sentence_and_starts_no_servers(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("--port", str(port), "--data-dir", str(data_dir))
    assert ended.process.returncode == 1
    assert ended.output == []
    assert ended.log == [
        f"run.py: 127.0.0.1 port {port} is in use: stop what listens there or choose another --port"
    ]
    assert not data_dir.exists()
    assert processes_in(data_dir) == []


def test_an_address_that_is_not_this_machines_is_one_sentence(data_dir: Path) -> None:
    # 192.0.2.0/24 is for documentation (RFC 5737): no machine has such an address.
    ended = run("--host", "192.0.2.1", "--allow-public", "--data-dir", str(data_dir))
    assert ended.process.returncode == 1
    (line,) = ended.log
    assert line.startswith("run.py: cannot listen on 192.0.2.1 port 8000: ")


@pytest.mark.parametrize(
    ("flags", "variables", "sentence"), WRONG_USES.values(), ids=WRONG_USES.keys()
)
def test_wrong_use_is_one_sentence_with_exit_code_2(
    flags: list[str], variables: dict[str, str], sentence: str, data_dir: Path
) -> None:
    ended = run(*flags, variables={"TODO_DATA_DIR": str(data_dir), **variables})
    assert ended.process.returncode == 2
    assert ended.output == []
    (line,) = ended.log
    assert line.startswith("run.py: ")
    assert sentence in line
    assert not data_dir.exists()


@pytest.mark.parametrize("host", ["a..b", "no-such-host.invalid", "fe80::1%none", "x" * 64])
def test_a_host_that_is_none_is_one_sentence(host: str) -> None:
    ended = run(f"--host={host}", "--allow-public")
    assert ended.process.returncode == 1
    (line,) = ended.log
    assert line.startswith(f"run.py: cannot listen on {host} port 8000: ")


def test_a_privileged_port_is_one_sentence() -> None:
    # In a network of its own: some engines let everybody have every port in theirs.
    alone = ("unshare", "--map-root-user", "--net")
    unprivileged = ("setpriv", "--bounding-set=-net_bind_service")
    ended = run("--host=0.0.0.0", "--allow-public", "--port=80", before=(*alone, *unprivileged))
    assert ended.process.returncode == 1
    assert ended.log == [
        "run.py: 0.0.0.0 port 80 is for privileged processes: choose another --port, 1024 or higher"
    ]


WRONG_NUMBERS = {
    "restart --ready-seconds=-1": "must be between 0.001 and 3,600, not -1.0",
    "restart --ready-seconds=nan": "must be between 0.001 and 3,600, not nan",
    "restart --ready-seconds=soon": "must be a number, not 'soon'",
    "scale 0": "must be between 1 and 64, not 0",
    "scale x": "must be a whole number, not 'x'",
    f"up --processes={'9' * 5000}": "must be a whole number",
    "up --port=0": "must be between 1 and 65,535, not 0",
    "up --tls-port=65536": "must be between 1 and 65,535, not 65536",
    "up --first-port=-1": "must be between 1 and 65,535, not -1",
    "up --first-mongo-port=x": "must be a whole number, not 'x'",
    "seed --count=0": "must be between 1 and 16,777,216, not 0",
    "seed --count=1 --random-seed=x": "must be a whole number, not 'x'",
    f"seed --count=1 --random-seed={1 << 64}": "must be between ",
}


@pytest.mark.parametrize(
    ("arguments", "sentence"), WRONG_NUMBERS.items(), ids=lambda text: text[:40]
)
def test_a_wrong_number_of_a_command_is_one_sentence_with_exit_code_2(
    arguments: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # In this process: how exit codes leave one is the same as above.
    assert main(arguments.split()) == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert sentence in line


def test_help_names_every_command_and_exits_with_0(data_dir: Path) -> None:
    ended = run("--help")
    assert ended.process.returncode == 0
    assert ended.log == []
    assert any("run.py seed --count N" in line for line in ended.output)
    assert any("--mongo-uri" in line for line in ended.output)


def test_version_is_printed() -> None:
    ended = run("--version")
    assert (ended.process.returncode, ended.output, ended.log) == (
        0,
        [f"tornado-todo {__version__}"],
        [],
    )


def test_show_settings_prints_each_value_with_its_origin_and_starts_nothing(
    data_dir: Path,
) -> None:
    ended = run(
        "--show-settings",
        f"--data-dir={data_dir}",
        "--mongo-uri=mongodb://u:secret@db/",
        variables={"TODO_PORT": "8001"},
    )
    assert ended.process.returncode == 0
    assert ended.log == []
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in ended.output}
    assert rows["port"] == ["8001", "environment TODO_PORT"]
    assert rows["mongo_uri"] == ["mongodb://u:***@db/", "flag --mongo-uri"]
    assert rows["host"] == ["127.0.0.1", "default"]
    assert not data_dir.exists()


def test_too_few_open_files_for_mongod_are_one_sentence(tmp_path: Path) -> None:
    few = ("prlimit", f"--nofile={room.LEAST_OPEN_FILES - 1}")
    ended = run("seed", "--count=1", f"--data-dir={tmp_path / 'data'}", before=few)
    assert ended.process.returncode == 1
    (line,) = ended.log
    assert line.startswith("run.py: This may open 255 files, and mongod needs 256: raise the limit")
