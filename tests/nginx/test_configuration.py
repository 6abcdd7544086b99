"""The files of conf/nginx as they stand, and as they are written for a node."""

import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nginx.front import Front, program, read_answer, wait_for
from nginx.test_retries import hang
from nginx.upstream import Taken, Upstream, answer
from service import ROOT

from app.node.nginx import Ports, make_certificate, write_configuration, write_upstream

FILES = sorted((ROOT / "conf/nginx").iterdir())
PORTS = Ports(http=18080, tls=18443, redirect=18081)
NOBODY = 65534


@pytest.fixture
def node() -> Iterator[Path]:
    """A node's folder with the files of conf/nginx; whoever is not root may work in it."""
    # Not tmp_path: others may not enter the folder that it is in.
    node = Path(tempfile.mkdtemp(prefix="node-"))
    (node / "run").mkdir()
    shutil.copytree(ROOT / "conf/nginx", node / "conf/nginx")
    make_certificate(node / "conf/nginx")
    if os.geteuid() == 0:
        for path in (node, *node.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    yield node
    shutil.rmtree(node)


def check(node: Path, user: int | None = None) -> str:
    """Return what `nginx -t` says about a node that it accepts."""
    with (node / "output").open("w+") as output:
        if user is not None:
            os.fchown(output.fileno(), user, user)
        checked = subprocess.run(
            [program(), "-t", "-p", node, "-c", "conf/nginx/nginx.conf"],
            stdout=output,
            stderr=subprocess.STDOUT,
            user=user,
            cwd="/",
            check=False,
        )
    said = (node / "output").read_text()
    assert checked.returncode == 0, said
    return said


def test_nginx_accepts_the_files_as_they_stand_and_needs_no_root(node: Path) -> None:
    said = check(node, NOBODY if os.geteuid() == 0 else None)
    lines = said.splitlines()
    assert len(lines) == 2, lines
    assert "syntax is ok" in lines[0]
    assert "test is successful" in lines[1]


def test_nginx_accepts_the_example_of_a_service_that_lets_in(node: Path) -> None:
    site = node / "conf/nginx/site.conf"
    text = site.read_text()
    site.write_text(text.replace("#include authorised.conf;", "include authorised.conf;"))
    assert site.read_text() != text
    check(node)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_file_names_a_path_of_a_machine(file: Path) -> None:
    directives = [line for line in file.read_text().splitlines() if "#" not in line]
    named = [
        line for line in directives if re.search(r"[ '\"=]/(dev|etc|home|opt|srv|usr|var)/", line)
    ]
    assert all(line.startswith("access_log /dev/stdout ") for line in named), named


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_says_what_it_is_for(file: Path) -> None:
    assert file.read_text().startswith("# ")


def write(folder: Path) -> None:
    """Write a node's configuration with two processes."""
    write_configuration(folder, ports=PORTS, app_ports=[18001, 18002])


def test_a_node_differs_in_ports_processes_and_what_its_machine_has(tmp_path: Path) -> None:
    write(tmp_path)
    changed = {
        file.name for file in FILES if (tmp_path / file.name).read_text() != file.read_text()
    }
    assert changed == {
        *("listen_http.conf", "listen_https.conf", "listen_redirect.conf", "upstream.conf"),
        *("compression.conf", "site.conf", "machine.conf"),
    }
    assert {file.name for file in FILES} == {file.name for file in tmp_path.iterdir()}


def test_a_node_is_for_its_own_machine_alone(tmp_path: Path) -> None:
    write(tmp_path)
    listens = [
        line
        for file in tmp_path.glob("listen_*.conf")
        for line in file.read_text().splitlines()
        if line.startswith("listen ")
    ]
    assert {line.split()[1] for line in listens} == {f"127.0.0.1:{port}" for port in PORTS}
    assert "set $https_port :18443;" in (tmp_path / "listen_redirect.conf").read_text()


@pytest.mark.parametrize("name", ["http", "https", "redirect"])
def test_the_files_as_they_stand_are_for_their_own_machine_alone(name: str) -> None:
    text = (ROOT / f"conf/nginx/listen_{name}.conf").read_text()
    (address,) = re.findall(r"(?m)^ *listen (\S+) ", text)
    assert address.startswith("127.0.0.1:")


def test_brotli_is_on_where_the_modules_are(tmp_path: Path) -> None:
    write(tmp_path)
    text = "".join(file.read_text() for file in sorted(tmp_path.iterdir()))
    loaded = re.findall("^load_module .*/ngx_http_brotli_(.*)_module.so;$", text, re.MULTILINE)
    assert loaded == ["filter", "static"]
    assert not re.search(r"^ *#brotli", text, re.MULTILINE)
    assert len(re.findall(r"^ *brotli", text, re.MULTILINE)) == 6


def servers(folder: Path) -> list[str]:
    """Return the lines of the list of processes."""
    lines = (folder / "upstream.conf").read_text().splitlines()
    return [line for line in lines if line.startswith("    server ")]


def test_the_list_of_processes_is_what_it_was_told(tmp_path: Path) -> None:
    write(tmp_path)
    for ports in ([18001, 18002], [18003], [18001, 18002, 18003, 18004]):
        write_upstream(tmp_path, ports)
        assert servers(tmp_path) == [
            *(f"    server 127.0.0.1:{port} max_fails=2 fail_timeout=2s;" for port in ports),
            *(f"    server 127.0.0.1:{port} max_fails=0 backup;" for port in ports),
        ]


def test_what_an_operator_has_changed_beside_the_list_stays(tmp_path: Path) -> None:
    write(tmp_path)
    file = tmp_path / "upstream.conf"
    file.write_text(
        file.read_text()
        .replace("keepalive 512;", "keepalive 8;")
        .replace("fail_timeout=2s", "fail_timeout=9s")
    )
    write_upstream(tmp_path, [18005])
    assert "    keepalive 8;\n" in file.read_text()
    assert "    server 127.0.0.1:18005 max_fails=2 fail_timeout=9s;" in servers(tmp_path)


def test_a_list_without_any_process_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(ValueError, match="at least one"):
        write_upstream(tmp_path, [])
    assert len(servers(tmp_path)) == 4


def test_a_file_is_replaced_at_once_and_whole(tmp_path: Path) -> None:
    write(tmp_path)
    with (tmp_path / "upstream.conf").open() as opened:
        write_upstream(tmp_path, [18009])
        assert "18001" in opened.read()  # Who has begun to read goes on with the old one.
    assert {file.name for file in FILES} == {file.name for file in tmp_path.iterdir()}


def test_the_key_is_its_owners_alone(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    assert stat.S_IMODE((tmp_path / "certificate.key").stat().st_mode) == 0o600
    assert {file.name for file in tmp_path.iterdir()} == {"certificate.key", "certificate.pem"}


def test_a_certificate_that_is_there_stays(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    before = [file.read_bytes() for file in sorted(tmp_path.iterdir())]
    make_certificate(tmp_path)
    write(tmp_path)
    after = [(tmp_path / name).read_bytes() for name in ("certificate.key", "certificate.pem")]
    assert after == before


def test_each_core_has_a_worker(front: Front) -> None:
    assert len(front.worker_pids()) == os.sysconf("SC_NPROCESSORS_ONLN")


def test_a_process_that_is_added_gets_requests_after_a_reload(
    make_front: Callable[..., Front], make_upstream: Callable[..., Upstream]
) -> None:
    old, new = make_upstream(answer(b"old")), make_upstream(answer(b"new"))
    front = make_front(old.port)
    assert front.call("GET", "/").body == b"old"
    write_upstream(front.conf, [new.port])
    front.reload()
    assert front.call("GET", "/").body == b"new"


def test_a_request_in_progress_is_answered_before_nginx_ends(
    fronted: Front, upstream: Upstream
) -> None:
    def wait(connection: object, taken: Taken) -> bool:
        fronted.process.send_signal(signal.SIGQUIT)
        wait_for(lambda: not listens(fronted))
        return answer(b"done")(connection, taken)  # type: ignore[arg-type]

    upstream.respond = wait
    with fronted.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_answer(connection).body == b"done"
    assert fronted.process.wait(10) == 0


def test_a_request_that_takes_for_ever_does_not_keep_nginx_from_ending(
    make_front: Callable[..., Front], upstream: Upstream
) -> None:
    upstream.respond = hang
    timeout = {"worker_shutdown_timeout 30s": "worker_shutdown_timeout 200ms"}
    front = make_front(upstream.port, edits={"nginx.conf": timeout})
    with front.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: upstream.taken)
        assert front.stop() == 0


def listens(front: Front) -> bool:
    """Tell whether new connections are taken."""
    try:
        front.connect().close()
    except OSError:  # Refused, or reset where it closes at this moment.
        return False
    return True
