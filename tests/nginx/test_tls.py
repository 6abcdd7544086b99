"""TLS by Mozilla's intermediate profile, HSTS, HTTP/2."""

import socket
import ssl
from collections.abc import Callable

import pytest
from nginx.front import Front, check_problem

from app.node.nginx import make_certificate

CIPHERS = {
    f"ECDHE-{key}-{cipher}"
    for key in ("ECDSA", "RSA")
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
}
REFUSED_VERSIONS = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
HSTS = "max-age=63072000"


def handshake(
    front: Front, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    """Return a connection after its handshake; the caller closes it."""
    plain = front.connect(port=front.ports.tls)
    try:
        return context.wrap_socket(plain, server_hostname="localhost", session=session)
    except ssl.SSLError:
        plain.close()
        raise


def only(front: Front, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return a client's context that speaks one version, with whatever cipher."""
    context = front.trusting()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


def test_the_certificate_is_for_localhost_by_name_and_address(front: Front) -> None:
    with handshake(front, front.trusting()) as connection:
        names = connection.getpeercert()["subjectAltName"]  # type: ignore[index]
    assert ("DNS", "localhost") in names
    assert ("IP Address", "127.0.0.1") in names


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_versions_of_the_profile_are_spoken(front: Front, version: ssl.TLSVersion) -> None:
    with handshake(front, only(front, version)) as connection:
        assert connection.version() == version.name.replace("_", ".")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", REFUSED_VERSIONS)
def test_older_versions_are_refused(front: Front, version: ssl.TLSVersion) -> None:
    # The alert: it is nginx that refuses, not this client.
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        handshake(front, only(front, version))


def offers(front: Front, cipher: str) -> bool:
    """Tell whether a client gets through that has but one cipher."""
    context = only(front, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    try:
        handshake(front, context).close()
    except ssl.SSLError:
        return False
    return True


def test_only_ciphers_of_the_profile_are_used(front: Front) -> None:
    context = only(front, ssl.TLSVersion.TLSv1_2)
    known = {str(cipher["name"]) for cipher in context.get_ciphers()}
    # The certificate has a key of an elliptic curve, so no cipher with RSA can be used.
    ours = {name for name in known if name.startswith("ECDHE-ECDSA")}
    assert {name for name in ours if offers(front, name)} == {
        name for name in CIPHERS if "ECDSA" in name
    }


def test_the_ciphers_are_those_of_the_profile(front: Front) -> None:
    text = (front.conf / "tls.conf").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("ssl_ciphers ")]
    assert set(line.removeprefix("ssl_ciphers ").rstrip(";").split(":")) == CIPHERS


def test_sessions_are_resumed_from_the_cache_without_tickets(front: Front) -> None:
    context = only(front, ssl.TLSVersion.TLSv1_2)
    with handshake(front, context) as first:
        session = first.session
    assert session is not None
    assert not session.has_ticket
    with handshake(front, context, session) as second:
        assert second.session_reused


def test_every_answer_over_tls_says_that_nothing_else_will_do(front: Front) -> None:
    (front.static / "over-tls.js").write_bytes(b"x")
    expected = {
        "/index": 200,
        "/nowhere": 404,
        "/v1/todos": 200,
        "/static/over-tls.js": 200,
        "/static/none": 404,
        "/todos": 308,
        "/nginx_status": 200,
        "/v1/todos/" + "0" * 24: 404,
        "/" + "a" * 9000: 414,
    }
    for target, status in expected.items():
        answer = front.call("GET", target, tls=True)
        assert answer.status == status
        assert answer.headers.get_all("Strict-Transport-Security") == [HSTS]


def test_no_answer_over_plain_http_says_so(front: Front) -> None:
    for target in ("/index", "/static/none", "/todos", "/nginx_status", "/nowhere"):
        assert front.call("GET", target).headers["Strict-Transport-Security"] is None


def h2_connection(front: Front) -> ssl.SSLSocket:
    """Return a connection on which HTTP/2 was agreed on."""
    context = front.trusting()
    context.set_alpn_protocols(["h2", "http/1.1"])
    connection = handshake(front, context)
    assert connection.selected_alpn_protocol() == "h2"
    return connection


def h2_frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def h2_status(connection: socket.socket) -> bytes:
    """Return the first byte of the answer's header block, which is its status."""
    stream = connection.makefile("rb")
    while True:
        head = stream.read(9)
        payload = stream.read(int.from_bytes(head[:3]))
        if head[3] == 1:  # HEADERS.
            return payload[:1]


@pytest.mark.parametrize(
    ("path", "status"), [(b"/index", b"\x88"), (b"/nowhere", b"\x8d"), (b"/static/x", b"\x8d")]
)
def test_http_2_is_spoken(front: Front, path: bytes, status: bytes) -> None:
    # RFC 7541, appendix A: GET, https, and 200 and 404 as they come are one byte each.
    block = b"\x82\x87" + b"\x04" + bytes([len(path)]) + path + b"\x01\x09localhost"
    with h2_connection(front) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2_frame(4, 0, 0))
        connection.sendall(h2_frame(1, 0x5, 1, block))  # END_STREAM and END_HEADERS.
        assert h2_status(connection) == status


def test_limits_and_problems_are_the_same_over_tls(front: Front) -> None:
    check_problem(
        front.call("POST", "/v1/todos", tls=True, body=b"b" * 65_537),
        413,
        kind="/problems/content-too-large",
    )


def test_a_certificate_that_is_renewed_is_used_after_a_reload(
    make_front: Callable[..., Front],
) -> None:
    front = make_front(1)
    before = front.trusting()
    for name in ("certificate.pem", "certificate.key"):
        (front.conf / name).unlink()
    make_certificate(front.conf)
    front.reload()
    handshake(front, front.trusting()).close()
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(front, before)
