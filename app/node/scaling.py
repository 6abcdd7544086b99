"""Adds and removes processes of the service while the others answer."""

from app.node.creation import write_program
from app.node.layout import Layout, NodeError, process_name
from app.node.nginx import check_configuration, write_upstream
from app.node.ports import require_free
from app.node.rolling import Logged, Say, sizes_of, start_anew, wait_until_ready
from app.node.supervisor import Supervisor
from app.program import NAME


def scale(layout: Layout, supervisor: Supervisor, processes: int, *, say: Say) -> None:
    """Bring a node to so many processes of the service.

    A process is in nginx's list only while it is ready: it is added after its start, and removed
    before its end. None is removed before all that shall stay are ready.

    Raises:
        NodeError: a process does not come up (a new one is removed again), or nginx does not run or
            does not understand its configuration; the others go on, and nginx's list stays.
    """
    ports = layout.ports
    if supervisor.process("nginx").is_stopped:
        raise NodeError(f"nginx does not run, so its list cannot be changed: see {NAME} status")
    check_configuration(layout.folder)
    # Before any process of this command begins; of those that run nobody knows where they began.
    logged = sizes_of(layout.log.glob("*.log"))
    wanted = range(ports[0], ports[0] + processes)
    for port in wanted:
        if port not in ports:
            _add(layout, supervisor, port, say, logged)
            continue
        if supervisor.process(process_name(port)).has_failed:
            logged = {**logged, **start_anew(supervisor, port)}
        wait_until_ready(supervisor, port, logged=logged)
    write_upstream(layout.conf / "nginx", wanted, instead_of=ports)
    supervisor.signal("nginx", "HUP")
    for port in ports:
        if port not in wanted:
            say(f"{port}: stopping")
            _remove(layout, supervisor, port)
    say(f"{processes} processes of the service: {', '.join(map(str, wanted))}")


def _add(layout: Layout, supervisor: Supervisor, port: int, say: Say, logged: Logged) -> None:
    require_free(port)
    write_program(layout, process_name("PORT"), port)
    supervisor.add(process_name(port))
    try:
        seconds = wait_until_ready(supervisor, port, logged=logged)
    except NodeError:
        _remove(layout, supervisor, port)
        raise
    say(f"{port}: ready after {seconds:.1f} s")


def _remove(layout: Layout, supervisor: Supervisor, port: int) -> None:
    name = process_name(port)
    if not supervisor.process(name).is_stopped:
        supervisor.stop(name)
    (layout.programs / f"{name}.conf").unlink()
    supervisor.remove(name)
