"""The jobs under a real daemon on the embedded cluster: each is frozen and moved when a main job wants its node.

DIR/server      the server directory
   /data        data sets, for all jobs
   /jobs.json   which job each step became, with which options and of which code; a step whose results are there is not run
                again unless its options are others now
   /results     what each step gave
   /earlier     what steps gave with other options, STEP-JOB
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.science import begun
from bench.science.begun import Begun
from bench.science.plan import Step
from idleq.bootstrap import make_report, stop_cluster
from idleq.cli.client import Client
from idleq.cli.demo.ending import moves_of, segment_lines
from idleq.ids import JobId
from idleq.scheduler.api.client import Client as Wire
from idleq.scheduler.core.rows import JobRow
from idleq.scheduler.errors import DaemonAway
from idleq.scheduler.paths import ServerPaths

IDLEQ = Path(sys.executable).with_name("idleq")

# Gaps of some minutes, so that a job is frozen now and then and starting it again is no large part of them.
CONFIG = """\
[policy]
grace = "20s"
min_gap = "30s"
freeze = "10s"
thaw = "20s"
margin = "2s"
retry = "2s"
slow = "20s"
lease = "60s"
linger = "2s"

[cluster]
kind = "embedded"
main_jobs = "busy"
nodes = {nodes}
cores = 1
memory = "4G"
seed = 1
speed = {speed}
"""


LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 120.0
"""How long the daemon may be away before nobody waits for it any more."""


FINAL = {"done", "failed", "cancelled"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """How far all is: the steps that are done, and the daemon's rows by job."""

    wanted: Sequence[Step]
    done: Sequence[str]
    rows: Mapping[str, JobRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a step went as a job, and of which code it was begun; empty where that was not recorded."""

    job: str
    segments: int
    moves: int
    seconds: float
    code: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """The only class that knows a file's name in the directory."""

    root: Path

    @property
    def server(self) -> ServerPaths:
        return ServerPaths(self.root / "server")

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs.json"

    def result(self, step: str) -> Path:
        return self.root / begun.RESULTS / step

    def earlier(self, step: str, job: str) -> Path:
        return self.root / "earlier" / f"{step}-{job}"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"IDLEQ_SERVER_DIR": str(self.server.root)}


@contextmanager
def serving(place: Place, *, nodes: int, speed: float) -> Iterator[None]:
    """A daemon and its cluster while the block runs; what was running when an earlier one was stopped goes on."""
    place.server.create()
    place.server.config.write_text(CONFIG.format(nodes=nodes, speed=speed))
    _idleq(place, "daemon", "start")
    try:
        yield
    finally:
        _idleq(place, "daemon", "stop")
        stop_cluster(place.server.root)


def put_aside(place: Place, steps: Sequence[Step]) -> list[str]:
    """Forget the steps that were begun with other options than they have now, and those that come after them; return which.

    What they gave is kept aside. `run_all` cancels what of them still waits or runs.
    """
    known = begun.read(place.jobs)
    names = [name for name in begun.outdated(steps, known) if name in known or place.result(name).is_dir()]
    for name in names:
        if place.result(name).is_dir():
            target = place.earlier(name, known[name].job if name in known else "unknown")
            target.parent.mkdir(exist_ok=True)
            shutil.rmtree(target, ignore_errors=True)
            place.result(name).rename(target)
    if names:
        begun.write(place.jobs, {name: one for name, one in known.items() if name not in names})
    return names


def run_all(place: Place, wanted: list[Step], tell: Callable[[Looked], None]) -> list[str]:
    """Run every step whose results are not there yet, as soon as those that it comes after are done; return what failed.

    What failed is begun anew by the next run. *tell* is given each look at the jobs.
    """
    results = {one.name: place.result(one.name) for one in wanted}
    failed: dict[str, str] = {}
    away_since = None
    is_first_look = True
    with closing(Wire.for_directory(place.server)) as wire:
        client = Client(wire)
        while waiting := [step for step in wanted if step.name not in failed and not place.result(step.name).is_dir()]:
            try:
                rows = {row.id: row for row in client.jobs(with_final=True).jobs}
            except DaemonAway:  # of a machine as busy as this one it may only be late
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > PATIENCE_SECONDS:
                    raise
                time.sleep(LOOK_SECONDS)
                continue
            away_since = None
            if is_first_look:
                _cancel_forgotten(place, client, wanted, rows)
                is_first_look = False
            for step in waiting:
                _go_on(place, step, rows, results, failed)
            tell(Looked(wanted=wanted, done=[one for one in results if results[one].is_dir()], rows=rows))
            time.sleep(LOOK_SECONDS)
    return [f"{name} {why}" for name, why in failed.items()]


def _cancel_forgotten(place: Place, client: Client, wanted: Sequence[Step], rows: Mapping[str, JobRow]) -> None:
    """Jobs of these steps that others take the place of: they would hold nodes for nothing."""
    known = begun.read(place.jobs)
    names = {step.name for step in wanted}
    for job, row in rows.items():
        is_known = row.name in known and known[row.name].job == job
        if row.name in names and not is_known and row.state not in FINAL:
            client.cancel(JobId(job))


def _go_on(
    place: Place, step: Step, rows: Mapping[str, JobRow], results: Mapping[str, Path], failed: dict[str, str]
) -> None:
    """Submit the step, keep what it gave, or note why it gives nothing; nothing of that is due while it waits or runs."""
    known = begun.read(place.jobs)
    job = known[step.name].job if step.name in known else None
    row = None if job is None else rows.get(job)
    why = failure(step, job, row, failed)
    if why:
        failed[step.name] = why
        begun.write(place.jobs, {name: other for name, other in known.items() if name != step.name})
    elif job is None:
        if all(results[name].is_dir() for name in step.after):
            code = begun.code()
            job = _submit(place, step, results)
            begun.write(place.jobs, known | {step.name: Begun(job=job, options=begun.told(step), code=code)})
    elif row is not None and row.state == "done" and place.server.job(JobId(job)).result.is_dir():
        _keep(place.server.job(JobId(job)).result, place.result(step.name))


def failure(step: Step, job: str | None, row: JobRow | None, failed: Collection[str]) -> str:
    """Why the step gives nothing in this run; empty if it may yet."""
    if job is None:
        lost = [name for name in step.after if name in failed]
        return f"was not run: there is no {', '.join(lost)}" if lost else ""
    if row is None:
        return f"is not known to the daemon as job {job}"
    if row.state in {"failed", "cancelled"}:
        return f"is {row.state} as job {job}, {row.reason or 'without a reason'}: `idleq logs {job}` has what it said"
    return ""


def _submit(place: Place, step: Step, results: Mapping[str, Path]) -> str:
    about = ("--name", step.name, "--priority", str(step.priority), "--env", f"IDLEQ_DATA_DIR={place.data}")
    return _idleq(place, "submit", *about, step.workload, *step.options(results))


def _keep(result: Path, target: Path) -> None:
    """Copied whole or not at all: the folder's name says that the step is done."""
    beside = target.with_name(f".{target.name}")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(result, beside)
    beside.rename(target)


def ran(place: Place, wanted: list[Step]) -> dict[str, Ran]:
    """How often each job that was begun was frozen and moved, from the journal."""
    jobs = begun.read(place.jobs)
    known = {step.name: jobs[step.name] for step in wanted if step.name in jobs}
    report = make_report(place.server.root, place.root / "report.html")
    found = {}
    for name, one in known.items():
        job = JobId(one.job)
        lines = segment_lines(report, job)
        seconds = sum(line.end - line.start for line in lines) / 1000
        found[name] = Ran(job=job, segments=len(lines), moves=moves_of(report, job), seconds=seconds, code=one.code)
    (place.root / "ran.json").write_text(json.dumps({name: asdict(one) for name, one in found.items()}))
    return found


def _idleq(place: Place, *arguments: str) -> str:
    argv = [str(IDLEQ), "--quiet", *arguments]
    run = subprocess.run(argv, env=place.environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"idleq {' '.join(arguments)} ended with {run.returncode}: {run.stderr.strip()}")
    return run.stdout.strip()
