"""Puts a load on a system and notes what wrk saw and what it cost."""

import resource
import time
from collections import Counter
from dataclasses import dataclass

from benchmarks.cache_backends import Backends
from benchmarks.cache_loads import Load
from benchmarks.cache_servers import OURS, service_metrics
from benchmarks.http_load import run_wrk
from benchmarks.http_machine import busy_seconds
from benchmarks.http_servers import Contender, Running


@dataclass(frozen=True)
class Measurement:
    """One system, one load, one number of connections, one round."""

    system: str
    load: str
    round: int
    connections: int
    requests_per_second: float
    """Answered with 2xx."""

    p50_milliseconds: float
    p99_milliseconds: float
    errors: dict[str, int]
    """Those of the warm-up included."""

    server_cpu: float
    """Part of its CPU that the server used, 0 to 1."""

    load_cpu: float
    """Part of the other CPU that wrk used."""

    backends_cpu: float
    """Part of that CPU that MongoDB and Redis used."""

    others_cpu: float
    """Part of the two CPUs, 0 to 2, that went to anything else: it disturbed the measurement."""

    redis_commands: int
    """That Redis carried out for the system."""

    proofs: float
    """Round trips in which our service proved freshness, one for a turn of its loop at most."""

    hits: float
    """Requests that our service answered from its process."""


@dataclass(frozen=True)
class _Costs:
    time: float
    busy: float
    server: float
    wrk: float
    backends: float
    redis_commands: int
    proofs: float
    hits: float


def measure(
    contender: Contender,
    server: Running,
    load: Load,
    *,
    backends: Backends,
    round_number: int,
    connections: int,
    seconds: int,
    cpus: tuple[int, int],
) -> Measurement:
    """Warm a system up with a load and measure it.

    Args:
        contender: what the system is.
        server: where it runs.
        load: what it is asked for.
        backends: where its todos are.
        round_number: for the record.
        connections: how many ask at once.
        seconds: how long, after the warm-up.
        cpus: the server's, and that of wrk, MongoDB and Redis.

    Raises:
        BenchmarkError: wrk failed, or said something that cannot be read.
    """
    command = load.command(cpu=cpus[1], connections=connections, port=server.port)
    warm_up = run_wrk(command, load.warm_up_seconds)
    before = _costs(contender, server, backends, cpus)
    seen = run_wrk(command, seconds)
    after = _costs(contender, server, backends, cpus)
    elapsed = after.time - before.time
    by_server = (after.server - before.server) / elapsed
    by_wrk = (after.wrk - before.wrk) / elapsed
    by_backends = (after.backends - before.backends) / elapsed
    busy = (after.busy - before.busy) / elapsed
    return Measurement(
        system=contender.name,
        load=load.name,
        round=round_number,
        connections=connections,
        requests_per_second=seen.requests_per_second - seen.errors.get("status", 0) / seconds,
        p50_milliseconds=seen.p50_milliseconds,
        p99_milliseconds=seen.p99_milliseconds,
        errors=dict(Counter(warm_up.errors) + Counter(seen.errors)),
        server_cpu=by_server,
        load_cpu=by_wrk,
        backends_cpu=by_backends,
        others_cpu=max(0.0, busy - by_server - by_wrk - by_backends),
        redis_commands=after.redis_commands - before.redis_commands,
        proofs=after.proofs - before.proofs,
        hits=after.hits - before.hits,
    )


def _costs(
    contender: Contender, server: Running, backends: Backends, cpus: tuple[int, int]
) -> _Costs:
    # Before the clocks are read: the server computes while it answers.
    metrics = service_metrics(server.port) if contender.name == OURS else {}
    redis_commands = backends.redis_commands()
    # Of ended child processes; while a system is measured, only wrk ends.
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return _Costs(
        time=time.perf_counter(),
        busy=busy_seconds(cpus),
        server=server.cpu_seconds(),
        wrk=usage.ru_utime + usage.ru_stime,
        backends=backends.cpu_seconds(),
        redis_commands=redis_commands,
        proofs=metrics.get("proofs", 0),
        hits=metrics.get("hits", 0),
    )
