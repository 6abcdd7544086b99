"""Puts load on a server with wrk and reads what wrk says."""

import re
import resource
import subprocess
import time
from collections import Counter
from dataclasses import dataclass

from benchmarks.http_machine import BenchmarkError, busy_seconds, find_program
from benchmarks.http_servers import Contender, Running
from benchmarks.peers.body import TARGET

WARM_UP_SECONDS = 1
_GRACE_SECONDS = 15
"""How much longer than asked wrk may run: it connects first and reads the last answers."""

_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_SOCKET_ERRORS = re.compile(r"Socket errors: (.+)")
_BAD_STATUSES = re.compile(r"Non-2xx or 3xx responses: (\d+)")


@dataclass(frozen=True)
class Load:
    """What wrk saw in one run."""

    requests_per_second: float
    p50_milliseconds: float
    p99_milliseconds: float
    errors: dict[str, int]
    """Counts above 0 of: connect, read, write, timeout (2 s without an answer), status."""


@dataclass(frozen=True)
class Measurement:
    """One server, one number of connections, one round."""

    server: str
    round: int
    connections: int
    requests_per_second: float
    p50_milliseconds: float
    p99_milliseconds: float
    errors: dict[str, int]
    """Those of the warm-up included."""

    server_cpu: float
    """Part of its CPU that the server used, 0 to 1."""

    load_cpu: float
    """Part of its CPU that wrk used: near 1, wrk is what limits the figure."""

    others_cpu: float
    """Part of the two CPUs, 0 to 2, that went to anything else: it disturbed the measurement."""

    head_bytes: int
    """Size of an answer without its body."""


def measure(
    contender: Contender,
    server: Running,
    *,
    round_number: int,
    connections: int,
    seconds: int,
    cpus: tuple[int, int],
) -> Measurement:
    """Warm a server up and measure it.

    Args:
        contender: what the server is.
        server: where it runs.
        round_number: for the record.
        connections: how many ask at once.
        seconds: how long, after the warm-up.
        cpus: the server's and wrk's.

    Raises:
        BenchmarkError: wrk failed, or said something that cannot be read.
    """
    command = [find_program("taskset"), "-c", str(cpus[1]), find_program("wrk"), "-t1", "--latency"]
    command += [f"-c{connections}", f"http://127.0.0.1:{server.port}{TARGET}"]
    if contender.script is not None:
        command += ["-s", str(contender.script)]
    warm_up = run_wrk(command, WARM_UP_SECONDS)
    busy, server_cpu, load_cpu = _cpu_seconds(server, cpus)
    started = time.perf_counter()
    load = run_wrk(command, seconds)
    elapsed = time.perf_counter() - started
    busy_after, server_cpu_after, load_cpu_after = _cpu_seconds(server, cpus)
    by_server = (server_cpu_after - server_cpu) / elapsed
    by_load = (load_cpu_after - load_cpu) / elapsed
    return Measurement(
        server=contender.name,
        round=round_number,
        connections=connections,
        requests_per_second=load.requests_per_second,
        p50_milliseconds=load.p50_milliseconds,
        p99_milliseconds=load.p99_milliseconds,
        errors=dict(Counter(warm_up.errors) + Counter(load.errors)),
        server_cpu=by_server,
        load_cpu=by_load,
        others_cpu=max(0.0, (busy_after - busy) / elapsed - by_server - by_load),
        head_bytes=server.head_bytes,
    )


def run_wrk(command: list[str], seconds: int) -> Load:
    """Run wrk for a time and return what it saw; raises as `measure` does."""
    try:
        # A session of its own: Ctrl-C reaches us alone, and `run` then ends wrk.
        result = subprocess.run(  # noqa: S603 - taskset and wrk.
            [*command, f"-d{seconds}s"],
            check=False,
            capture_output=True,
            text=True,
            timeout=seconds + _GRACE_SECONDS,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"wrk ran {_GRACE_SECONDS} s longer than it should") from error
    if result.returncode != 0:
        raise BenchmarkError(f"wrk ended with {result.returncode}: {result.stderr[-500:]}")
    return parse_wrk(result.stdout)


def parse_wrk(output: str) -> Load:
    """Read wrk's output with ``--latency``.

    Raises:
        BenchmarkError: a figure is missing.
    """
    rate = re.search(r"^Requests/sec:\s+([\d.]+)$", output, re.MULTILINE)
    if rate is None:
        raise BenchmarkError(f"wrk gave no requests per second: {output!r}")
    errors: Counter[str] = Counter()
    if socket_errors := _SOCKET_ERRORS.search(output):
        for part in socket_errors[1].split(", "):
            name, count = part.split(" ")
            errors[name] += int(count)
    if statuses := _BAD_STATUSES.search(output):
        errors["status"] += int(statuses[1])
    return Load(
        requests_per_second=float(rate[1]),
        p50_milliseconds=_percentile(output, 50),
        p99_milliseconds=_percentile(output, 99),
        errors=dict(+errors),
    )


def _percentile(output: str, percent: int) -> float:
    """Return a latency in milliseconds."""
    # wrk pads the unit: "1.12s " is as wide as "1.12ms".
    found = re.search(rf"^ +{percent}% +([\d.]+)(us|ms|s|m) *$", output, re.MULTILINE)
    if found is None:
        raise BenchmarkError(f"wrk gave no latency at {percent} %: {output!r}")
    return float(found[1]) * _MILLISECONDS[found[2]]


def _cpu_seconds(server: Running, cpus: tuple[int, int]) -> tuple[float, float, float]:
    """Return what all processes, the server, and every wrk so far have computed."""
    # Of ended child processes; while wrk runs, no other one ends.
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return busy_seconds(cpus), server.cpu_seconds(), usage.ru_utime + usage.ru_stime
