"""What idleq costs the job that runs in it: training steps a second as a job and as a plain process, in turns.

Both run the same program on the same core; every few seconds the one is stopped (SIGSTOP) and the other goes on, and a
few times both are begun anew. While the plain one runs, idleq's own processes are stopped too. So a machine that grows slower, or has other work,
does that to both, and many turns average it out; whole runs after one another differ by ten per cent on such a machine.
"""

import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.row import Row
from bench.server import idleq, serving
from idleq.migration.enclosure import be_nice_as_session
from idleq.scheduler.agent.arguments import NICEST

STEPS = 1_000_000
"""More than there is time for: both are ended when the turns are over."""

EVENTS = 2_000
TURN_SECONDS = 4.0
"""Shorter than it takes a daemon to miss an agent, or an agent its daemon."""

SAMPLES = 7
"""Both are begun anew so often: where a process's memory happens to lie makes a per cent too."""

PAIRS_IN_SAMPLE = 8

WARM_STEPS = 20
"""Left out at the beginning: memory is still being asked for."""

STARTING_SECONDS = 300.0

CONFIG = '[cluster]\nkind = "local"\ncores = 1\n'
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
REPOSITORY = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where one of the two is: the steps behind it, the processor's seconds used, and the turns' seconds that it had."""

    steps: float
    cpu: float
    seconds: float

    def __sub__(self, before: "Clocks") -> "Clocks":
        return Clocks(self.steps - before.steps, self.cpu - before.cpu, self.seconds - before.seconds)

    def __add__(self, other: "Clocks") -> "Clocks":
        return Clocks(self.steps + other.steps, self.cpu + other.cpu, self.seconds + other.seconds)

    @property
    def rate(self) -> float:
        """Steps a second of the time that it had."""
        return self.steps / self.seconds

    @property
    def step_cpu(self) -> float:
        """The processor's seconds for a step."""
        return self.cpu / self.steps


@dataclass(frozen=True, slots=True)
class Sample:
    """A few pairs of turns: what the job did in its own, and the plain process in its own; and idleq's CPU seconds."""

    inside: Clocks
    outside: Clocks
    own_cpu: float

    def __add__(self, other: "Sample") -> "Sample":
        return Sample(self.inside + other.inside, self.outside + other.outside, self.own_cpu + other.own_cpu)

    @property
    def slower(self) -> float:
        """By how many per cent the job takes fewer steps a second."""
        return 100 * (1 - self.inside.rate / self.outside.rate)

    @property
    def dearer(self) -> float:
        """By how many per cent a step of the job takes more of the processor's time."""
        return 100 * (self.inside.step_cpu / self.outside.step_cpu - 1)


def rows() -> list[Row]:
    """Rates and differences over all turns; what the samples say differently is the noise."""
    with tempfile.TemporaryDirectory() as name, serving(CONFIG) as environment:
        folder = Path(name)
        _make_data(folder)
        return _compared([_sample(folder, environment) for _ in range(SAMPLES)])


def _compared(samples: Sequence[Sample]) -> list[Row]:
    whole = sum(samples[1:], start=samples[0])
    count = SAMPLES * PAIRS_IN_SAMPLE
    return [
        Row(name="training steps a second without idleq", value=whole.outside.rate, unit="steps/s", better="more"),
        Row(name="training steps a second as a job", value=whole.inside.rate, unit="steps/s", better="more"),
        Row(name=f"training as a job and without are apart by, over {count} turns of {TURN_SECONDS:g} s each on one core",
            value=abs(whole.slower), unit="%", target=1.0, note=_spread(whole.slower, [one.slower for one in samples])),
        Row(name="the processor's time for a training step, as a job and without, is apart by", value=abs(whole.dearer),
            unit="%", target=1.0, note=_spread(whole.dearer, [one.dearer for one in samples])),
        Row(name="daemon, agent and cluster together while one job runs", unit="CPU s/min",
            value=60 * whole.own_cpu / whole.inside.seconds),
    ]  # fmt: skip


def _spread(whole: float, samples: Sequence[float]) -> str:
    error = statistics.stdev(samples) / math.sqrt(len(samples))
    return f"with idleq {whole:+.2f} % (more is worse), standard error {error:.2f} % from {len(samples)} starts of both"


def _sample(folder: Path, environment: Mapping[str, str]) -> Sample:
    with _job(folder, environment) as job:
        own = _own_processes(environment["IDLEQ_SERVER_DIR"])
        _stop([*own, job.process])
        try:
            with _plain(folder) as plain:
                _stop([plain.process])
                return _in_turns(job, plain, own)
        finally:
            _go_on([*own, job.process])


def _in_turns(job: "Trainer", plain: "Trainer", own: Sequence[psutil.Process]) -> Sample:
    """Turned round from pair to pair, so that a machine that grows slower hits both alike."""
    sample = Sample(Clocks(0, 0, 0), Clocks(0, 0, 0), 0)
    for pair in range(PAIRS_IN_SAMPLE):
        for is_inside in (True, False) if pair % 2 == 0 else (False, True):
            if is_inside:
                before = sum(map(_cpu_seconds, own))
                sample += Sample(_turn(job, [job.process, *own]), Clocks(0, 0, 0), sum(map(_cpu_seconds, own)) - before)
            else:
                sample += Sample(Clocks(0, 0, 0), _turn(plain, [plain.process]), 0)
    return sample


def _turn(trainer: "Trainer", processes: Sequence[psutil.Process]) -> Clocks:
    before, start = trainer.clocks(0), time.perf_counter()
    _go_on(processes)
    time.sleep(TURN_SECONDS)
    _stop(processes)
    return trainer.clocks(time.perf_counter() - start) - before


def _stop(processes: Iterable[psutil.Process]) -> None:
    for one in processes:
        one.send_signal(signal.SIGSTOP)


def _go_on(processes: Iterable[psutil.Process]) -> None:
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGCONT)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


@dataclass(frozen=True, slots=True)
class Trainer:
    """One of the two trainings: its process, and the file that holds its step."""

    process: psutil.Process
    counter: Path

    def clocks(self, seconds: float) -> Clocks:
        """Where it is now, its turn having lasted *seconds*."""
        return Clocks(_step(self.counter), _cpu_seconds(self.process), seconds)


def _step(counter: Path) -> int:
    return int.from_bytes(counter.read_bytes(), "little")


def _make_data(folder: Path) -> None:
    """Before any clock runs."""
    argv = [sys.executable, "-m", "idleq.workloads.cli", "make-data", "--events", str(EVENTS), "--data", str(folder)]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _argv(folder: Path, counter: Path) -> list[str]:
    options = ["--steps", str(STEPS), "--events", str(EVENTS), "--data", str(folder)]
    return [sys.executable, "-m", "bench.counted_training", str(counter), *options]


@contextmanager
def _job(folder: Path, environment: Mapping[str, str]) -> Iterator[Trainer]:
    """The training as a job, once it is warm."""
    counter = _new(folder / "inside")
    argv = _argv(folder, counter)
    variables = {**ONE_THREAD, "PYTHONPATH": str(REPOSITORY)}
    given = [part for name, value in variables.items() for part in ("--env", f"{name}={value}")]
    options = ("--freeze", "app", "--memory", "2G", "--cores", "1", *given)
    entry = idleq("submit", *options, "--", *argv, environment=environment)
    try:
        _await_steps(counter)
        yield Trainer(_process_of(argv), counter)
    finally:
        idleq("cancel", entry, environment=environment)


@contextmanager
def _plain(folder: Path) -> Iterator[Trainer]:
    """The training as a process of nobody's, as nice as guests of this cluster are, once it is warm."""
    counter = _new(folder / "outside")
    output = folder / "output"
    shutil.rmtree(output, ignore_errors=True)
    argv = ["nice", "-n", str(NICEST), *_argv(folder, counter), "--output", str(output)]
    with subprocess.Popen(
        argv,
        cwd=REPOSITORY,
        env=os.environ | ONE_THREAD,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            _await_steps(counter)
            be_nice_as_session(process.pid)
            yield Trainer(psutil.Process(process.pid), counter)
        finally:
            process.kill()


def _new(counter: Path) -> Path:
    counter.unlink(missing_ok=True)
    return counter


def _await_steps(counter: Path) -> None:
    end = time.monotonic() + STARTING_SECONDS
    while not counter.exists() or _step(counter) < WARM_STEPS:
        if time.monotonic() > end:
            raise SystemExit(f"the training was not at its step {WARM_STEPS} after {STARTING_SECONDS:.0f} s")
        time.sleep(0.2)


def _process_of(argv: Sequence[str]) -> psutil.Process:
    (found,) = [
        one for one in psutil.process_iter(["cmdline"]) if (one.info["cmdline"] or [])[-len(argv) + 1 :] == argv[1:]
    ]
    return found


def _own_processes(server_dir: str) -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if {server_dir, "idleq"} <= set(one.info["cmdline"] or ())]
