"""What a Redis URL means."""

import ssl
from pathlib import Path

import pytest
import tornado.test

from app.cache.channel import RedisAddress


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://", RedisAddress("localhost", 6379)),
        ("redis://cache", RedisAddress("cache", 6379)),
        ("redis://cache:6380/2", RedisAddress("cache", 6380, database=2)),
        ("redis://cache?db=2", RedisAddress("cache", database=2)),
        ("redis://:p%40ss@cache", RedisAddress("cache", login=("p@ss",))),
        ("redis://todo:p%40ss@cache", RedisAddress("cache", login=("todo", "p@ss"))),
        ("redis://[::1]:6380", RedisAddress("::1", 6380)),
        ("unix:///run/redis.sock", RedisAddress(path="/run/redis.sock")),
        ("unix:///run/redis.sock?db=3", RedisAddress(path="/run/redis.sock", database=3)),
        ("unix://:secret@/run/r.sock", RedisAddress(path="/run/r.sock", login=("secret",))),
    ],
)
def test_a_url_is_read_as_redis_py_reads_it(url: str, address: RedisAddress) -> None:
    parsed = RedisAddress.parse(url)
    assert parsed == address
    assert parsed.tls is None


@pytest.mark.parametrize(
    ("options", "checks_name", "mode"),
    [
        ("", True, ssl.CERT_REQUIRED),
        ("?ssl_cert_reqs=required", True, ssl.CERT_REQUIRED),
        ("?ssl_check_hostname=false", False, ssl.CERT_REQUIRED),
        ("?ssl_cert_reqs=none", False, ssl.CERT_NONE),
        ("?ssl_cert_reqs=none&ssl_check_hostname=true", False, ssl.CERT_NONE),
    ],
)
def test_certificates_are_checked_unless_the_url_says_otherwise(
    options: str, mode: ssl.VerifyMode, *, checks_name: bool
) -> None:
    address = RedisAddress.parse(f"rediss://cache:6380/1{options}")
    assert (address.host, address.port, address.database) == ("cache", 6380, 1)
    assert address.tls is not None
    assert (address.tls.check_hostname, address.tls.verify_mode) == (checks_name, mode)


def test_a_certificate_of_ones_own_is_the_only_one_that_is_believed() -> None:
    file = Path(tornado.test.__file__).parent / "test.crt"
    tls = RedisAddress.parse(f"rediss://cache?ssl_ca_certs={file}").tls
    assert tls is not None
    assert tls.cert_store_stats()["x509"] == 1


@pytest.mark.parametrize(
    "url",
    [
        "redis://cache?sentinel=1",
        "redis://cache?db=1&socket_timeout=3",
        "redis://cache?ssl_cert_reqs=none",
        "rediss://cache?ssl_ciphers=x",
        "rediss://cache?decode_responses=true",
    ],
)
def test_an_unknown_option_is_named(url: str) -> None:
    option = url.rpartition("?")[2].rpartition("&")[2].partition("=")[0]
    with pytest.raises(ValueError, match=f"unknown options: {option}"):
        RedisAddress.parse(url)


@pytest.mark.parametrize(
    "url", ["http://cache", "cache:6379", "", "redis://cache:port", "redis://cache:99999"]
)
def test_what_is_no_redis_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        RedisAddress.parse(url)


def test_files_that_are_not_there_are_told() -> None:
    with pytest.raises(FileNotFoundError):
        RedisAddress.parse("rediss://cache?ssl_ca_certs=/nowhere/authority.pem")
