"""No part of a password is repeated, however broken or misplaced the address is."""

import pytest
from service import run

BROKEN_MONGO_URIS = (
    *("http://u:secret@db", "mongodb://u:secret@db:port/", "mongodb://u:secret@"),
    *("mongodb:/u:secret@db", "u:secret@db", "mongodb://u:%zzsecret@db", "mongodb://u:se?cret@db"),
    *("mongodb://u:p@secret@db", "mongodb://u:secret/x@db"),
    "mongodb://u:secret@h/?authMechanismProperties=secret",
)
BROKEN_REDIS_URLS = (
    *("redis://:secret/x@h", "redis://h:secret", "redis://:secret[x@h", "redis:/:secret@h"),
    *("redis://:secret#x@h", "redis://:secret@h/?db=x", "redis://secret@h:port"),
)
MISPLACED = "mongodb://u:secret@db"


@pytest.mark.parametrize("address", BROKEN_MONGO_URIS)
def test_no_part_of_a_password_in_a_broken_mongo_uri_is_repeated(address: str) -> None:
    ended = run("--port=0", f"--mongo-uri={address}", "--redis-url=none")
    assert ended.process.returncode == 2
    (line,) = ended.log
    assert "mongo_uri" in line
    assert "secret" not in line


@pytest.mark.parametrize("address", BROKEN_REDIS_URLS)
def test_no_part_of_a_password_in_a_broken_redis_url_is_repeated(address: str) -> None:
    ended = run("--port=0", "--mongo-uri=mongodb://127.0.0.1:1/", f"--redis-url={address}")
    assert ended.process.returncode == 2
    (line,) = ended.log
    assert "redis_url" in line
    assert "secret" not in line


@pytest.mark.parametrize(
    "arguments",
    [
        *([MISPLACED], ["serve", MISPLACED], [f"--host={MISPLACED}"], [f"--port={MISPLACED}"]),
        *([f"--log-level={MISPLACED}"], [f"--access-log={MISPLACED}"], [f"--{MISPLACED}"]),
        *([f"--mongo-write-concern={MISPLACED}"], [f"--trusted-proxies={MISPLACED}"]),
        *(["seed", f"--count={MISPLACED}"], ["up", f"--processes={MISPLACED}"]),
        *(["up", f"--port={MISPLACED}"], ["up", "--mongo-uri=http://u:secret@db"]),
        *([command, f"--node={MISPLACED}"] for command in ("up", "status", "logs", "down")),
        *(["scale", MISPLACED], ["help", MISPLACED], ["version", MISPLACED]),
        *([f"--data-dir={MISPLACED}"], ["export", f"--data-dir={MISPLACED}"]),
        *([f"--config={MISPLACED}"], ["restart", f"--ready-seconds={MISPLACED}"]),
    ],
    ids=lambda arguments: " ".join(arguments).replace(MISPLACED, "URI"),
)
def test_no_password_is_repeated_of_an_address_in_the_wrong_place(arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.process.returncode == 2
    assert ended.log
    assert not any("secret" in line for line in ended.log)
