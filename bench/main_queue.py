"""How many main jobs a second the simulator gets through: the main queue alone, beside a bare SimPy loop in the same run."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.bare_simpy import Job, bare_easy
from bench.logs import log_path
from bench.row import Row
from idleq.simulator.queueing import Policy, Semantics, easy, replay
from idleq.simulator.queueing.conservative import conservative
from idleq.simulator.swf import clean, read_swf
from idleq.simulator.trace import Trace

TRACES = {
    "KTH": ("KTH-SP2-1996-2", None, 9),
    "HPC2N": ("HPC2N-2002-2.1-cln", None, 3),
    "SDSC-BLUE": ("SDSC-BLUE-2000-4.2-cln", None, 3),
    "Curie": ("CEA-Curie-2011-2.1-cln", 80_640, 1),
}
"""File, processors, and how often each engine runs it; the best run counts, since all that disturbs makes slower."""

FAST_TARGETS = {"KTH": 2.5e6, "SDSC-BLUE": 2e6, "Curie": 0.4e6}
FAST_RUNS = 7
LEAST_OF_BARE = 0.7


def rows() -> list[Row]:
    """Each trace in turn; where it is absent, rows that say so."""
    found: list[Row] = []
    for name, (file, processors, runs) in TRACES.items():
        path = log_path(f"{file}.swf.gz")
        if path.exists():
            found += _of_trace(name, path, processors, runs)
        else:
            found.append(
                Row(name=f"main queue, {name}", value=None, unit="jobs/s", note=f"no {path.name}: set IDLEQ_SHARED")
            )
    return found


def _of_trace(name: str, path: Path, processors: int | None, runs: int) -> Iterator[Row]:
    trace = clean(read_swf(path), processors)
    count = len(trace.jobs)
    bare, ours, is_same = _side_by_side(trace, runs)
    load = f"processor time, best of {runs}, load {os.getloadavg()[0]:.1f}"
    yield Row(name=f"EASY, SimPy engine, {name}", value=count / ours, unit="jobs/s", better="more", note=load)
    yield Row(name=f"EASY, bare SimPy loop, {name}", value=count / bare, unit="jobs/s", better="more", note=load)
    yield Row(name=f"EASY, SimPy engine over the bare loop, {name}", value=bare / ours, unit="x", target=LEAST_OF_BARE,
              better="more", note="the same starts" if is_same else "DIFFERENT STARTS")  # fmt: skip
    yield from _fast(name, trace)
    if name == "KTH":
        seconds = min(_timed(lambda: replay(trace.jobs, trace.processors, conservative)) for _ in range(5))
        yield Row(name="conservative, full replan, SimPy engine, KTH", value=count / seconds, unit="jobs/s",
                  target=30_000, better="more", note="processor time, best of 5")  # fmt: skip
    yield from _whole_processes(name, path, count, trace.processors)


def _side_by_side(trace: Trace, runs: int) -> tuple[float, float, bool]:
    """Return the best seconds of the bare loop and of our engine, run in turn, and whether they agree."""
    bare_jobs = [Job(job.id, job.submit, job.run, job.limit, job.size) for job in trace.jobs]
    policy: Policy = easy
    theirs: dict[int, int] = {}
    starts: dict[int, int] = {}

    def run_bare() -> None:
        theirs.update(bare_easy(bare_jobs, trace.processors))

    def run_ours() -> None:
        starts.update(replay(trace.jobs, trace.processors, policy))

    times = [(_timed(run_bare), _timed(run_ours)) for _ in range(runs)]
    return min(bare for bare, _ in times), min(ours for _, ours in times), theirs == starts


def _fast(name: str, trace: Trace) -> Iterator[Row]:
    from idleq.simulator.errors import FastMissing
    from idleq.simulator.fast.engine import replay_fast

    target = FAST_TARGETS.get(name)
    title = f"EASY, fast engine, {name}"
    with tempfile.TemporaryDirectory() as folder:

        def run() -> None:
            replay_fast(trace.table, trace.processors, "easy", Semantics.PER_TIMESTAMP, Path(folder))

        try:
            first = _timed(run)
        except FastMissing as error:
            yield Row(name=title, value=None, unit="jobs/s", target=target, better="more", note=str(error))
            return
        seconds = min(_timed(run) for _ in range(FAST_RUNS))
    note = f"processor time, best of {FAST_RUNS}; the first one took {first:.1f} s with its compiling"
    yield Row(name=title, value=len(trace.table) / seconds, unit="jobs/s", target=target, better="more", note=note)


def _whole_processes(name: str, path: Path, count: int, processors: int) -> Iterator[Row]:
    """`idleq simulate` from start to end, the trace and the machine code in their caches."""
    for engine in ("simpy", "fast"):
        with tempfile.TemporaryDirectory() as home:
            argv = [
                sys.executable,
                "-m",
                "idleq",
                "simulate",
                str(path),
                "--procs",
                str(processors),
                "--engine",
                engine,
            ]
            environment = os.environ | {"XDG_CACHE_HOME": home, "XDG_DATA_HOME": home}

            def run(argv: list[str] = argv, environment: dict[str, str] = environment) -> None:
                subprocess.run([*argv, "--json"], env=environment, check=True, stdout=subprocess.DEVNULL)

            run()
            seconds = min(_waited(run) for _ in range(1 if name == "Curie" else 3))
        yield Row(name=f"EASY, whole `idleq simulate --engine {engine}`, {name}", value=count / seconds, unit="jobs/s",
                  better="more", note=f"{seconds:.2f} s with everything cached")  # fmt: skip


def _timed(run: Callable[[], object]) -> float:
    """Return the processor time that *run* takes: on one core, whoever else is at work on the machine."""
    begin = time.process_time()
    run()
    return time.process_time() - begin


def _waited(run: Callable[[], object]) -> float:
    """Return how long *run*, which works in other processes, takes on the clock on the wall."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin
