"""A mongod that knows users, whose rights a test takes away and gives back."""

import secrets
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pymongo import MongoClient

from app.embedded.binaries import MONGOD, find_binary

_PASSWORD = "correct-horse"
_WAIT_MILLISECONDS = 30_000


class RightsMongod:
    """A replica set of one on a Unix socket in a directory; ``start`` it first."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._socket = quote(str(directory / "mongod.sock"), safe="")

    def start(self) -> None:
        """Start it and wait until it takes writes."""
        key_file = self._directory / "key"
        key_file.write_text(secrets.token_hex(32))
        key_file.chmod(0o600)
        (self._directory / "data").mkdir()
        self._process = subprocess.Popen(
            [
                *(find_binary(MONGOD), "--dbpath", "data", "--replSet", "rights"),
                *("--bind_ip", "./mongod.sock", "--port", "27017", "--nounixsocket"),
                *("--keyFile", "key", "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "16"),
                *("--setParameter", "diagnosticDataCollectionEnabled=false", "--noscripting"),
                *("--logpath", "log"),
            ],
            cwd=self._directory,
        )
        members = [{"_id": 0, "host": "./mongod.sock"}]
        with self._client(f"mongodb://{self._socket}/?directConnection=true") as client:
            # Whoever comes from the same machine may do this, and make the first user.
            client.admin.command("replSetInitiate", {"_id": "rights", "members": members})
            while not client.admin.command("hello")["isWritablePrimary"]:
                assert self._process.poll() is None
            client.admin.command("createUser", "root", pwd=_PASSWORD, roles=["root"])

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def uri(self, user: str, database: str) -> str:
        """Return the address for a user."""
        login = f"{user}:{_PASSWORD}@{self._socket}"
        return f"mongodb://{login}/{database}?authSource=admin&directConnection=true"

    def command(self, *command: Any, **options: Any) -> None:
        """Run a command as somebody who may do everything."""
        with self._client(self.uri("root", "admin")) as client:
            client.admin.command(*command, **options)

    def make_user(self, user: str, *roles: Any) -> None:
        """Let somebody in."""
        self.command("createUser", user, pwd=_PASSWORD, roles=list(roles))

    def _client(self, uri: str) -> "MongoClient[dict[str, Any]]":
        return MongoClient(uri, serverSelectionTimeoutMS=_WAIT_MILLISECONDS)
