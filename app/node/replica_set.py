"""Makes one replica set of the members that run on a node."""

import time
from collections.abc import Sequence
from typing import Any

from app.node.layout import NodeError

_NAME = "todo"
_SECONDS = 30.0
_POLL_SECONDS = 0.1
_ANSWER_SECONDS = 5.0

_ELECTION = {
    "electionTimeoutMillis": 2000,
    "heartbeatIntervalMillis": 500,
    # A new primary waits for the others' heartbeats, and for what they know that it does not: no
    # write that was acknowledged is among that, since most members have those.
    "heartbeatTimeoutSecs": 2,
    "catchUpTimeoutMillis": 2000,
}
"""On one machine a member that is silent for 2 s is gone; MongoDB's 10 s are for networks."""


def initiate(ports: Sequence[int]) -> None:
    """Wait for the members, make them a replica set if they are none, and wait for its primary.

    Raises:
        NodeError: there is no primary in time.
    """
    from pymongo import MongoClient, timeout  # noqa: PLC0415 - no other command needs it.
    from pymongo.errors import PyMongoError  # noqa: PLC0415

    members = [{"_id": number, "host": f"127.0.0.1:{port}"} for number, port in enumerate(ports)]
    configuration = {"_id": _NAME, "members": members, "settings": _ELECTION}
    deadline = time.monotonic() + _SECONDS
    last: object = "no primary"
    while time.monotonic() < deadline:
        for port in ports:
            uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"
            try:
                with timeout(_ANSWER_SECONDS), MongoClient[Any](uri) as client:
                    hello = client.admin.command("hello")
                    if hello["isWritablePrimary"]:
                        return
                    if "setName" not in hello:
                        client.admin.command("replSetInitiate", configuration)
            except PyMongoError as error:
                last = error
        time.sleep(_POLL_SECONDS)
    raise NodeError(f"MongoDB's members have no primary after {_SECONDS:g} s: {last}")
