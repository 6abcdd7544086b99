"""How many processes a node has by default, and where they listen."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.node import cores
from app.node.cores import cgroup_cores, default_processes, usable_cores
from app.node.creation import PORTS, Plan, chosen_ports
from app.node.nginx import Ports


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("membership", "files", "limit"),
    [
        ("0::/", {"cpu.max": "max 100000"}, None),
        ("0::/", {"cpu.max": "200000 100000"}, 2),
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/", {"cpu.max": "10000 100000"}, 1),
        ("0::/a/b", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),
        ("0::/outside", {"cpu.max": "400000 100000"}, 4),
        ("4:cpu,cpuacct:/a", {"cpu/a/cpu.cfs_quota_us": "-1"}, None),
        (
            "9:memory:/a\n4:cpu,cpuacct:/a",
            {"cpu/a/cpu.cfs_quota_us": "250000\n", "cpu/a/cpu.cfs_period_us": "100000\n"},
            3,
        ),
        ("0::/", {}, None),
        ("0::/", {"cpu.max": ""}, None),
    ],
)
def test_a_cgroup_says_how_many_cores_its_quota_comes_to(
    tmp_path: Path, membership: str, files: Mapping[str, str], limit: int | None
) -> None:
    (tmp_path / "self").write_text(membership + "\n")
    write(tmp_path / "mount", files)
    assert cgroup_cores(tmp_path / "self", tmp_path / "mount") == limit


def test_where_there_are_no_cgroups_there_is_no_limit(tmp_path: Path) -> None:
    assert cgroup_cores(tmp_path / "none", tmp_path) is None


def test_a_core_that_a_process_may_not_use_does_not_count() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores() == 1
        assert default_processes() == 2
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize("count", range(1, 201))
def test_on_so_many_cores_no_two_of_a_nodes_ports_are_the_same(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(cores, "usable_cores", lambda: count)
    assert 2 <= default_processes() <= 64
    assert len(ports_of(default_processes(), {})) == 6 + default_processes()


@pytest.mark.parametrize("name", PORTS)
@pytest.mark.parametrize("port", [80, 8001, 8010, 8064, 8080, 8081, 8443, 27101, 27102, 60_000])
def test_a_port_that_is_chosen_moves_those_that_are_not(name: str, port: int) -> None:
    assert port in ports_of(64, {name: port})
    assert len(ports_of(64, {name: port})) == 6 + 64


def test_ports_that_are_given_stay_as_they_are() -> None:
    given = dict.fromkeys(PORTS, 5)
    assert chosen_ports(given) == given


def ports_of(processes: int, given: Mapping[str, int]) -> set[int]:
    """Return the ports that a node has; as many as it needs if all differ."""
    chosen = chosen_ports({name: given.get(name) for name in PORTS})
    plan = Plan(
        processes=processes,
        nginx=Ports(chosen["port"], chosen["tls_port"], chosen["redirect_port"]),
        first_port=chosen["first_port"],
        first_mongo_port=chosen["first_mongo_port"],
    )
    return set(plan.by_flag().values())
