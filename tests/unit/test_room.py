"""What a file system must have before a server writes to it."""

import os
from pathlib import Path

import pytest

from app.embedded.mongod import Mongod
from app.embedded.room import FIRST_BYTES, LEAST_FILES, shortage
from app.node.creation import Plan, require_room
from app.node.layout import Layout, NodeError
from app.node.nginx import Ports

MEBIBYTE = 1 << 20


def status(free_bytes: int, free_files: int = 10**6, files: int = 10**6) -> os.statvfs_result:
    """Return what statvfs(3) says of such a file system; more is free for root."""
    block = 4096
    blocks = free_bytes // block
    return os.statvfs_result(
        (block, block, 10**9, blocks + 10**6, blocks, files, free_files + 10**6, free_files, 0, 255)
    )


def test_a_file_system_with_room_lacks_nothing() -> None:
    assert shortage(status(400 * MEBIBYTE), FIRST_BYTES) is None


def test_what_is_missing_is_told_in_figures() -> None:
    assert shortage(status(399 * MEBIBYTE), FIRST_BYTES) == (
        "is full (399 MiB free, 400 MiB needed)"
    )


def test_a_file_system_with_room_but_no_more_inodes_is_refused() -> None:
    lack = shortage(status(FIRST_BYTES, free_files=LEAST_FILES - 1), FIRST_BYTES)
    assert lack == "has no room for more files (99 inodes free, 100 needed)"


def test_a_file_system_that_does_not_count_inodes_has_enough() -> None:
    assert shortage(status(FIRST_BYTES, free_files=0, files=0), FIRST_BYTES) is None


def test_a_node_needs_room_for_each_member_that_has_no_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(processes=2, nginx=Ports(1, 2, 3), first_port=4, first_mongo_port=6)
    layout = Layout(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _: status(801 * MEBIBYTE))
    with pytest.raises(NodeError, match="801 MiB free, 1200 MiB needed"):
        require_room(layout, plan)
    layout.mongo_data(6).mkdir()
    (layout.mongo_data(6) / "WiredTiger").touch()
    require_room(layout, plan)


# --- What a mongod that ended has logged (MongoDB 7.0, shortened)

WIREDTIGER = (
    '{"s":"E","c":"WT","msg":"WiredTiger error message","attr":{"error":28,"message":'
    '{"msg":"__posix_file_write:621:mongo/sizeStorer.wt: handle-write: pwrite: failed to write",'
    '"error_str":"No space left on device","error_code":28}}}'
)
LOCK = (
    '{"s":"E","c":"CONTROL","msg":"DBException in initAndListen, terminating","attr":{"error":'
    '"Location28596: Unable to determine status of lock file: Permission denied"}}'
)
REASON = '{"s":"F","c":"STORAGE","msg":"Terminating.","attr":{"reason":"24: Too many open files"}}'
AFTER = (
    '{"s":"F","c":"ASSERT","msg":"Fatal assertion","attr":{"msgid":50853}}\n'
    '{"s":"F","c":"CONTROL","msg":"Writing fatal message","attr":{"message":"Got signal: 6"}}'
)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            WIREDTIGER,
            "mongo/sizeStorer.wt: handle-write: pwrite: failed to write: No space left on device",
        ),
        (LOCK, "Location28596: Unable to determine status of lock file: Permission denied"),
        (REASON, "24: Too many open files"),
    ],
    ids=["no space", "permission", "descriptors"],
)
def test_a_mongod_that_does_not_start_is_explained_by_its_first_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mongod.log").write_text(f'{{"s":"I","msg":"starting"}}\n{line}\n{AFTER}\n')
    assert f"({reason})." in Mongod(0).explain_end(14)
