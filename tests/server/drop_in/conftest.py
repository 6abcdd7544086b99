"""What the drop-in tests share.

===========  ==================================================================
certificate  the certificate of Tornado's own tests and its key, as files
server_tls   a server's TLS context with it
client_tls   a client's TLS context that believes nobody else
===========  ==================================================================
"""

import ssl
from pathlib import Path

import pytest
import tornado.test


@pytest.fixture
def certificate() -> tuple[Path, Path]:
    folder = Path(tornado.test.__file__).parent
    return folder / "test.crt", folder / "test.key"


@pytest.fixture
def server_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def client_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificate[0])
    context.check_hostname = False  # It was made for foo.example.com.
    return context
