"""Makes one replica set of the members that run on a node, and tells what each is in it."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from app.node.layout import NodeError, member_name
from app.node.rolling import Logged, last_lines
from app.node.supervisor import Supervisor

_NAME = "todo"
_SECONDS = 30.0
_POLL_SECONDS = 0.1
_HELLO_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
_MOST_STARTS = 4

_ELECTION = {
    "electionTimeoutMillis": 2000,
    "heartbeatIntervalMillis": 500,
    # A new primary waits for the others' heartbeats, and for what they know that it does not: no
    # write that was acknowledged is among that, since most members have those.
    "heartbeatTimeoutSecs": 2,
    "catchUpTimeoutMillis": 2000,
}
"""On one machine a member that is silent for 2 s is gone; MongoDB's 10 s are for networks."""

_Hello = Mapping[str, Any]
"""What a member says of itself; empty where it does not answer."""


def roles(ports: Sequence[int]) -> Mapping[int, str | None]:
    """Ask the members on these ports, all at once, whether they are primary or secondary.

    Returns:
        One of these words for each port; None for a member that is neither, or does not answer.
    """
    return {port: _role(hello) for port, hello in _ask(ports).items()}


def initiate(
    supervisor: Supervisor, ports: Sequence[int], *, logged: Logged, within: float = _SECONDS
) -> None:
    """Wait for the members, make them a replica set if they are none, and wait for its primary.

    Args:
        supervisor: of the node.
        ports: of the members.
        logged: sizes of their logs before they began.
        within: seconds.

    Raises:
        NodeError: a member is started again and again, or does not answer in time, or there is no
            primary; the text says what the member logged last.
    """
    starts = _Starts(supervisor, ports, logged)
    refusal = ""
    deadline = time.monotonic() + within
    while True:
        starts.look()
        told = _ask(ports)
        found = set(map(_role, told.values()))
        if "primary" in found and None not in found:
            return
        if time.monotonic() > deadline:
            _require_up(supervisor, told, f"after {within:g} s{refusal}", logged)
            return
        if all(told.values()) and not any("setName" in hello for hello in told.values()):
            refusal = _make_set(ports)
        time.sleep(_POLL_SECONDS)


class _Starts:
    """How often supervisord has started each member.

    Its `startsecs` is 0, so supervisord itself takes none for failed.
    """

    def __init__(self, supervisor: Supervisor, ports: Sequence[int], logged: Logged) -> None:
        self._supervisor = supervisor
        self._logged = logged
        self._pids: dict[str, set[int]] = {member_name(port): set() for port in ports}

    def look(self) -> None:
        """Raise `NodeError` if a member has been started too often."""
        for name, pids in self._pids.items():
            process = self._supervisor.process(name)
            if process.pid:
                pids.add(process.pid)
            if len(pids) >= _MOST_STARTS:
                raise NodeError(
                    f"{name} does not come up: it was started {len(pids)} times, and ended: "
                    f"{self._supervisor.last_end(name)}\n"
                    f"{last_lines(process.log, self._logged)}"
                )


def _require_up(
    supervisor: Supervisor, told: Mapping[int, _Hello], when: str, logged: Logged
) -> None:
    # One that answers and is neither copies what it missed, which takes what it takes.
    for port, hello in told.items():
        if not hello:
            name = member_name(port)
            log = supervisor.process(name).log
            raise NodeError(f"{name} does not answer {when}\n{last_lines(log, logged)}")
    if "primary" not in map(_role, told.values()):
        logs = "\n".join(
            last_lines(supervisor.process(member_name(port)).log, logged) for port in told
        )
        raise NodeError(f"MongoDB's members have no primary {when}\n{logs}")


def _role(hello: _Hello) -> str | None:
    if hello.get("isWritablePrimary"):
        return "primary"
    return "secondary" if hello.get("secondary") else None


def _ask(ports: Sequence[int]) -> Mapping[int, _Hello]:
    if not ports:
        return {}
    with ThreadPoolExecutor(len(ports)) as threads:
        return dict(zip(ports, threads.map(_hello, ports), strict=True))


def _hello(port: int) -> _Hello:
    from pymongo.errors import PyMongoError  # noqa: PLC0415 - few commands need it.

    try:
        return _command(port, "hello", seconds=_HELLO_SECONDS)
    except PyMongoError:
        return {}


def _make_set(ports: Sequence[int]) -> str:
    """Return why it could not be made, or nothing."""
    from pymongo.errors import PyMongoError  # noqa: PLC0415

    members = [{"_id": number, "host": f"127.0.0.1:{port}"} for number, port in enumerate(ports)]
    configuration = {"_id": _NAME, "members": members, "settings": _ELECTION}
    try:
        _command(ports[0], "replSetInitiate", configuration, seconds=_ANSWER_SECONDS)
    except PyMongoError as error:
        return f": {error}"
    return ""


def _command(port: int, *command: Any, seconds: float) -> _Hello:
    from pymongo import MongoClient, timeout  # noqa: PLC0415

    uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"
    with timeout(seconds), MongoClient[Any](uri) as client:
        answer: _Hello = client.admin.command(*command)
        return answer
