"""What idleq costs the job that runs in it: training steps a second as a plain process and as a job, in turns.

Both run the same program on the same core. A job that shares its machine with something else is slower by that, and so
is a plain run; the pairs are interleaved, and the plain runs' own differences say how much of it is noise.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.row import Row
from bench.server import idleq, serving

STEPS = 500
WARM_STEPS = 50
"""Left out at the beginning of each run: memory is still being asked for."""

EVENTS = 2_000
PAIRS = 5
FEWEST_PAIRS = 3
LIMIT_SECONDS = 300
"""After this no further pair is begun, once there are the fewest: a busy machine takes long."""

STARTING_SECONDS = 5.0
WATCHED_SECONDS = 8.0
"""Once a job is past its imports, idleq's own processes are watched for so long; the job takes longer."""

CONFIG = '[cluster]\nkind = "local"\ncores = 1\n'
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
REPOSITORY = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training: steps a second of wall time, and the processor's seconds for a step."""

    rate: float
    step_cpu: float


def rows() -> list[Row]:
    """Each pair is one run inside and one outside; the rows with targets are medians over the pairs."""
    inside: list[Run] = []
    outside: list[Run] = []
    shares: list[float] = []
    end = time.monotonic() + LIMIT_SECONDS
    with tempfile.TemporaryDirectory() as folder, serving(CONFIG) as environment:
        _make_data(Path(folder))
        for pair in range(PAIRS):
            if pair >= FEWEST_PAIRS and time.monotonic() > end:
                break
            # Turned round each time, so that a machine that grows slower hits both.
            for is_inside in (True, False) if pair % 2 == 0 else (False, True):
                if is_inside:
                    inside.append(_as_job(Path(folder), environment, shares))
                else:
                    outside.append(_plain(Path(folder)))
    return _compared(inside, outside, 60 * statistics.median(shares))


def _compared(inside: list[Run], outside: list[Run], share: float) -> list[Row]:
    slower = [100 * (1 - with_it.rate / plain.rate) for with_it, plain in zip(inside, outside, strict=True)]
    dearer = [100 * (with_it.step_cpu / plain.step_cpu - 1) for with_it, plain in zip(inside, outside, strict=True)]
    rates = [run.rate for run in outside]
    noise = 100 * (max(rates) - min(rates)) / statistics.median(rates)
    what = f"{len(outside)} pairs of {STEPS} steps on one core"
    return [
        Row(name="training steps a second without idleq, median", value=statistics.median(rates), unit="steps/s",
            better="more", note=f"plain runs differ by {noise:.1f} %"),
        Row(name="training steps a second as a job, median", value=statistics.median(run.rate for run in inside),
            unit="steps/s", better="more"),
        Row(name=f"training as a job and without are apart by, median of {what}", value=abs(statistics.median(slower)),
            unit="%", target=1.0, note=f"slower by, pair by pair: {_listed(slower)}; plain runs differ by {noise:.1f} %"),
        Row(name="the processor's time for a training step, as a job and without, is apart by, median",
            value=abs(statistics.median(dearer)), unit="%", target=1.0, note=f"more, pair by pair: {_listed(dearer)}"),
        Row(name="daemon, agent and cluster together while one job runs", unit="CPU s/min",
            value=share),
    ]  # fmt: skip


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:+.1f}" for value in values)


def _make_data(folder: Path) -> None:
    """Before any clock runs."""
    argv = [sys.executable, "-m", "idleq.workloads.cli", "make-data", "--events", str(EVENTS), "--data", str(folder)]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _argv(folder: Path) -> list[str]:
    options = ["--steps", str(STEPS), "--events", str(EVENTS), "--data", str(folder)]
    return [sys.executable, "-m", "bench.timed_training", str(folder / "seen.json"), *options]


def _as_job(folder: Path, environment: Mapping[str, str], shares: list[float]) -> Run:
    variables = {**ONE_THREAD, "PYTHONPATH": str(REPOSITORY)}
    given = [part for name, value in variables.items() for part in ("--env", f"{name}={value}")]
    options = ("--freeze", "app", "--memory", "2G", "--cores", "1", *given)
    entry = idleq("submit", *options, "--", *_argv(folder), environment=environment)
    time.sleep(STARTING_SECONDS)
    shares.append(_share(environment["IDLEQ_SERVER_DIR"]))
    _wait(entry, environment)
    return _seen(folder)


def _wait(entry: str, environment: Mapping[str, str]) -> None:
    try:
        idleq("wait", entry, environment=environment)
    except SystemExit as ended:
        row = json.loads(idleq("--json", "ps", entry, environment=environment))["job"]["row"]
        raise SystemExit(f"{ended} the job is {row['state']}: {row['reason']}") from None


def _share(server_dir: str) -> float:
    """The processor's seconds that idleq's own processes use in one second, over a while."""
    ours = [one for one in psutil.process_iter(["cmdline"]) if {server_dir, "idleq"} <= set(one.info["cmdline"] or ())]
    before = [_cpu_seconds(one) for one in ours]
    start = time.perf_counter()
    time.sleep(WATCHED_SECONDS)
    used = sum(_cpu_seconds(one) - was for one, was in zip(ours, before, strict=True))
    return used / (time.perf_counter() - start)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _plain(folder: Path) -> Run:
    with tempfile.TemporaryDirectory(dir=folder) as output:
        subprocess.run(
            [*_argv(folder), "--output", output], cwd=REPOSITORY, env=os.environ | ONE_THREAD, check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    return _seen(folder)


def _seen(folder: Path) -> Run:
    file = folder / "seen.json"
    seen = json.loads(file.read_text())
    file.unlink()  # the next run makes its own, or fails here
    begin = next(one for one in seen if one[0] >= WARM_STEPS)
    steps, wall, cpu = (last - first for last, first in zip(seen[-1], begin, strict=True))
    return Run(rate=steps / wall, step_cpu=cpu / steps)
