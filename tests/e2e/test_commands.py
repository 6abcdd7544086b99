"""What stands on the command line and what does not."""

from pathlib import Path

import pytest
from service import Service, run


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sede"], "run.py: unknown command 'sede': did you mean 'seed'?"),
        (["server", "--port", "0"], "run.py: unknown command 'server': did you mean 'serve'?"),
        (
            ["--port=0", "--mongo-uri=mongodb://127.0.0.1:1/?retryWrite=1", "--redis-url=none"],
            "run.py: mongo_uri cannot be used: Unknown option: retrywrite.",
        ),
        (
            ["--port=0", "--mongo-uri=mongodb://h/?tls=true&tlsCAFile=/no", "--redis-url=none"],
            "run.py: mongo_uri cannot be used: ",
        ),
        (
            ["--port=0", "--mongo-uri=mongodb://127.0.0.1:1/%00", "--redis-url=none"],
            "run.py: mongo_uri cannot be used: ",
        ),
        (
            ["--port=0", "--mongo-uri=mongodb://127.0.0.1:1/", "--redis-url=redis://h/?x=1"],
            "run.py: redis_url cannot be used: ",
        ),
        (
            ["--port=0", "--mongo-uri=mongodb://127.0.0.1:1/", "--redis-url=redis://h/?protocol=9"],
            "run.py: redis_url cannot be used: ",
        ),
    ],
    ids=["near seed", "near serve", "option", "file", "database", "redis option", "redis protocol"],
)
def test_a_name_that_is_not_known_is_one_sentence_with_exit_code_2(
    arguments: list[str], sentence: str
) -> None:
    ended = run(*arguments)
    assert ended.process.returncode == 2
    (line,) = ended.log
    assert line.startswith(sentence)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port=0", "--redis-url=redis://h:port"],
        ["seed", "--count=1", "--redis-url=redis://h/?x=1"],
        ["--port=0", "--mongo-uri=mongodb://h/?retryWrite=1"],
    ],
)
def test_an_address_that_is_not_understood_is_refused_before_any_server_is_started(
    arguments: list[str], tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    ended = run(*arguments, f"--data-dir={data_dir}")
    assert ended.process.returncode == 2
    assert "cannot be used: " in ended.log[-1]
    assert not data_dir.exists()


def test_serve_may_be_named(backend_flags: tuple[str, ...]) -> None:
    service = Service("serve", "--port", "0", *backend_flags)
    try:
        service.wait_for_banner()
        assert service.stop() == 0
    finally:
        service.kill()


def test_what_is_logged_of_a_malformed_request_leaves_out_its_values(
    backend_flags: tuple[str, ...],
) -> None:
    service = Service("--port", "0", *backend_flags)
    try:
        service.wait_for_banner()
        with service.connect() as connection:
            connection.sendall(
                b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret%s\x01\r\n\r\n"
                % (b"x" * 5_000)
            )
            assert connection.recv(12) == b"HTTP/1.1 400"
        service.wait_for_log('"http.route":"refused"')
        assert service.stop() == 0
    finally:
        service.kill()
    assert not any("secret" in line or len(line) > 1000 for line in service.log), service.log
