"""Writes the configuration of a node's nginx: `conf/nginx` with what differs from node to node."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from app.node.layout import NodeError
from app.program import CONF

_TEMPLATE = CONF / "nginx"
_UPSTREAM = "upstream.conf"
_MACHINE = "machine.conf"
_CERTIFICATE, _KEY = "certificate.pem", "certificate.key"
_CERTIFICATE_DAYS = 365

_LISTEN = re.compile(r"^listen 127\.0\.0\.1:\d+ ", re.MULTILINE)
_ANY_LISTEN = re.compile(r"^ *(listen .*)$", re.MULTILINE)
_HTTPS_PORT = re.compile(r"^set \$https_port :\d+;", re.MULTILINE)
_SERVERS = re.compile(
    r"^    server 127\.0\.0\.1:\d+(?P<parameters>.*);\n"
    r"(?:    server 127\.0\.0\.1:\d+(?P=parameters);\n)*",
    re.MULTILINE,
)
"""Neighbouring lines that differ in nothing but the port."""
_PORT = re.compile(r"127\.0\.0\.1:(\d+)")
_BROTLI = re.compile(r"^( *)#(?=brotli)", re.MULTILINE)

_SEARCHED = os.pathsep.join((os.defpath, "/usr/sbin", "/sbin", "/usr/local/sbin"))
"""Where nginx is; Debian's users have no sbin on their PATH."""

_BROTLI_MODULES = (
    "ngx_http_brotli_filter_module.so",
    "ngx_http_brotli_static_module.so",
)


class Ports(NamedTuple):
    """Where nginx listens on 127.0.0.1."""

    http: int
    tls: int
    redirect: int
    """Plain HTTP that is sent to HTTPS."""


def write_configuration(folder: Path, *, ports: Ports, app_ports: Sequence[int]) -> None:
    """Write the files of `conf/nginx` into a folder, with what this node differs in.

    A certificate that is there stays; see `make_certificate`. nginx reads the files when it starts
    and when it gets HUP, and may do so between any two of them: each is whole at any time.

    Args:
        folder: the node's `conf/nginx`; made if need be.
        ports: where nginx listens, for this machine alone.
        app_ports: where the processes of the service listen.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    modules = _brotli_modules()
    for file in sorted(_TEMPLATE.glob("*.conf")):
        text = file.read_text(encoding="utf-8")
        if modules:
            text = _BROTLI.sub(r"\1", text)
        if file.name == _UPSTREAM:
            text = _with_servers(text, app_ports)
        elif file.name == _MACHINE:
            text += "".join(f"{line}\n" for line in _machine_lines(modules))
        elif file.name.startswith("listen_"):
            text = _with_ports(text, ports, file.stem)
        _replace(folder / file.name, text.encode())


def write_upstream(
    folder: Path, app_ports: Sequence[int], *, instead_of: Sequence[int] | None = None
) -> None:
    """Write the list of the service's processes anew; all else in that file stays.

    Args:
        folder: the node's `conf/nginx`, which `write_configuration` has written.
        app_ports: where the processes of the service listen.
        instead_of: where they listened before; other lines, as of a second node, stay. Without it
            all lines for this machine go.
    """
    file = folder / _UPSTREAM
    text = file.read_text(encoding="utf-8")
    _replace(file, _with_servers(text, app_ports, instead_of).encode())


def check_configuration(folder: Path) -> None:
    """Raise `NodeError`, with nginx's own words, if it does not understand a node's configuration.

    Args:
        folder: the node.
    """
    command = [_program() or "nginx", "-q", "-t", "-p", f"{folder}/", "-c", "conf/nginx/nginx.conf"]
    finished = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - ours.
    if finished.returncode != 0:
        raise NodeError(f"nginx does not understand its configuration: {finished.stderr.strip()}")


def make_certificate(folder: Path) -> None:
    """Make a certificate for localhost, signed by its own key, unless the folder has one.

    By the `openssl` program: Python's library has nothing for it, and a package of that size for
    one call of `make up` would have to be kept safe by everybody who installs the service.

    Raises:
        FileNotFoundError: there is no such program.
        subprocess.CalledProcessError: it fails.
    """
    if (folder / _CERTIFICATE).exists() and (folder / _KEY).exists():
        return
    # mkdtemp's folder is its owner's alone: nobody sees the key before its mode is set.
    with tempfile.TemporaryDirectory(dir=folder) as made:
        certificate, key = Path(made, _CERTIFICATE), Path(made, _KEY)
        subprocess.run(  # noqa: S603 - ours.
            [
                *("openssl", "req", "-x509", "-noenc", "-batch"),
                *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
                *("-days", str(_CERTIFICATE_DAYS), "-subj", "/CN=localhost"),
                *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"),
                *("-addext", "basicConstraints=critical,CA:FALSE"),
                *("-addext", "extendedKeyUsage=serverAuth"),
                *("-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
        key.chmod(0o600)
        # The key first: nginx would not start with a certificate whose key is missing.
        key.replace(folder / _KEY)
        certificate.replace(folder / _CERTIFICATE)


def _with_servers(
    text: str, app_ports: Sequence[int], instead_of: Sequence[int] | None = None
) -> str:
    """Put a line for each port in place of those with the same parameters."""
    if not app_ports or _SERVERS.search(text) is None:
        raise ValueError("nginx needs at least one process of the service in its list")

    def lines(found: re.Match[str]) -> str:
        before = list(map(int, _PORT.findall(found[0])))
        own = before if instead_of is None else [*instead_of, *app_ports]
        others = [port for port in before if port not in own]
        if others == before:
            return found[0]
        ports = (*app_ports, *others)
        return "".join(f"    server 127.0.0.1:{port}{found['parameters']};\n" for port in ports)

    return _SERVERS.sub(lines, text)


def _with_ports(text: str, ports: Ports, stem: str) -> str:
    port = {"listen_http": ports.http, "listen_https": ports.tls}.get(stem, ports.redirect)
    text = _LISTEN.sub(f"listen 127.0.0.1:{port} ", text)
    for line in _ANY_LISTEN.findall(text):
        if not line.startswith("listen 127.0.0.1:"):
            raise NodeError(f"conf/nginx/{stem}.conf: '{line}' would not be for this machine alone")
    return _HTTPS_PORT.sub(f"set $https_port :{ports.tls};", text)


def _machine_lines(modules: Sequence[Path]) -> Iterator[str]:
    for module in modules:
        yield f"load_module {module};"
    if os.geteuid() == 0:
        # Workers would otherwise be somebody who may not enter this node's folder.
        yield f"user {pwd.getpwuid(0).pw_name};"


def _brotli_modules() -> Sequence[Path]:
    """Return the files of nginx's modules for Brotli, or nothing where not all are installed."""
    nginx = _program()
    if nginx is None:
        return ()
    told = subprocess.run([nginx, "-V"], check=True, capture_output=True, text=True).stderr  # noqa: S603 - ours.
    folder = re.search(r"--modules-path=(\S+)", told)
    if folder is None:
        return ()
    modules = [Path(folder[1], name) for name in _BROTLI_MODULES]
    return modules if all(module.exists() for module in modules) else ()


def _program() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path=_SEARCHED)


def _replace(file: Path, content: bytes) -> None:
    """Put a whole file in place of another, at once."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".")
    with os.fdopen(descriptor, "wb") as new:
        new.write(content)
    Path(name).replace(file)
