"""Fixtures for tests of a whole node: nginx, two processes of the service, MongoDB and Redis.

=========  ====================================================================================
node       one node for all tests of a module, started by `run.py up` and stopped afterwards
make_node  starts one with these flags, for as long as the ``with`` lasts
=========  ====================================================================================
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import pytest
from nodes import Node
from processes import processes_in


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with _running() as node:
        yield node


@pytest.fixture(scope="session")
def make_node() -> Callable[..., AbstractContextManager[Node]]:
    return _running


@contextmanager
def _running(*flags: str) -> Iterator[Node]:
    # Neither tmp_path nor TMPDIR: the path of a Unix socket has 107 bytes at most (unix(7)).
    # With a space in it, as some folders have.
    folder = Path(tempfile.mkdtemp(prefix="a node ", dir="/tmp"))
    node = Node.choose(folder / "node")
    try:
        node.up(*flags)
        yield node
    finally:
        node.run("down", check=False)
        left = processes_in(node.folder)
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=5)
        shutil.rmtree(folder)
