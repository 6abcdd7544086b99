"""Whether there is room for what a program needs at its start: on the disk, and of open files."""

import os

FIRST_BYTES = 400 * 1024 * 1024
"""For a mongod that begins with no data: 300 MB at once (three files of its journal), and then logs
and todos."""

LEAST_BYTES = 64 * 1024 * 1024
"""For one that has data: it starts with less and dies at the next checkpoint."""

LEAST_FILES = 100
"""Some 20 at the start, and one for each collection and index."""

LEAST_OPEN_FILES = 256
"""For mongod: 128 are enough to start, and each client takes one. With 64 it starts, hangs and says
nothing."""


def shortage(status: os.statvfs_result, needed_bytes: int) -> str | None:
    """Say what a file system lacks, of bytes and of files; None if it has room.

    Args:
        status: of the file system: statvfs(3), where 0 files in all mean that they have no limit.
        needed_bytes: what will be written.
    """
    free_bytes = status.f_bavail * status.f_frsize
    if free_bytes < needed_bytes:
        return f"is full ({free_bytes >> 20} MiB free, {needed_bytes >> 20} MiB needed)"
    if status.f_files and status.f_favail < LEAST_FILES:
        return f"has no room for more files ({status.f_favail} inodes free, {LEAST_FILES} needed)"
    return None
