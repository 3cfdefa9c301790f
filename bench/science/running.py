"""The jobs under a real daemon on the embedded cluster: each is frozen and moved when a main job wants its node.

DIR/server      the server directory
   /data        data sets, for all jobs
   /jobs.json   which job each step became; a step whose results are there is not run again
   /results     what each step gave
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

from bench.science.plan import Step
from idleq.bootstrap import make_report, stop_cluster
from idleq.cli.demo.ending import moves_of, segment_lines
from idleq.ids import JobId
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a step went as a job."""

    job: str
    segments: int
    moves: int
    seconds: float


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
        return self.root / "results" / step

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


def run_all(place: Place, wanted: list[Step]) -> None:
    """Run every step whose results are not there yet, as soon as those that it comes after are done."""
    known = _known(place)
    writing = Lock()
    results = {one.name: place.result(one.name) for one in wanted}
    going: dict[str, Future[None]] = {}

    def run(step: Step) -> None:
        for name in step.after:
            going[name].result()
        if place.result(step.name).is_dir():
            return
        with writing:
            if step.name not in known:
                known[step.name] = _submit(place, step, results)
                place.jobs.write_text(json.dumps(known))
            print(f"{step.name}: job {known[step.name]}", flush=True)
        _idleq(place, "wait", known[step.name])
        _keep(place.server.job(JobId(known[step.name])).result, place.result(step.name))

    with ThreadPoolExecutor(len(wanted)) as threads:
        for step in wanted:
            going[step.name] = threads.submit(run, step)
    for one in going.values():
        one.result()


def _known(place: Place) -> dict[str, str]:
    found: dict[str, str] = json.loads(place.jobs.read_text()) if place.jobs.exists() else {}
    return found


def _submit(place: Place, step: Step, results: Mapping[str, Path]) -> str:
    return _idleq(place, "submit", "--env", f"IDLEQ_DATA_DIR={place.data}", step.workload, *step.options(results))


def _keep(result: Path, target: Path) -> None:
    """Copied whole or not at all: the folder's name says that the step is done."""
    beside = target.with_name(f".{target.name}")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(result, beside)
    beside.rename(target)


def ran(place: Place, wanted: list[Step]) -> dict[str, Ran]:
    """How often each job that was begun was frozen and moved, from the journal."""
    jobs = _known(place)
    known = {step.name: jobs[step.name] for step in wanted if step.name in jobs}
    report = make_report(place.server.root, place.root / "report.html")
    found = {}
    for name, job in known.items():
        lines = segment_lines(report, JobId(job))
        seconds = sum(line.end - line.start for line in lines) / 1000
        found[name] = Ran(job=job, segments=len(lines), moves=moves_of(report, JobId(job)), seconds=seconds)
    (place.root / "ran.json").write_text(json.dumps({name: asdict(one) for name, one in found.items()}))
    return found


def _idleq(place: Place, *arguments: str) -> str:
    argv = [str(IDLEQ), "--quiet", *arguments]
    run = subprocess.run(argv, env=place.environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"idleq {' '.join(arguments)} ended with {run.returncode}: {run.stderr.strip()}")
    return run.stdout.strip()
