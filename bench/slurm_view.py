"""How long the view of a large site takes: 10,000 nodes and 50,000 jobs as `squeue --json` and `scontrol show nodes --json` tell them."""

import json
import random
import resource
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.row import Row
from idleq.bootstrap import collect_rarely
from idleq.ids import Millis
from idleq.scheduler.slurm import answers
from idleq.scheduler.slurm.commandline import output
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.records import JobRecord
from idleq.scheduler.slurm.view import build_view

NODES, JOBS, RUNNING, PLANNED = 10_000, 50_000, 12_000, 500
NOW = 1_800_000_000
RECORDED = Path(__file__).parents[1] / "tests" / "data" / "slurm" / "24.11" / "busy"


def rows() -> list[Row]:
    collect_rarely()  # as the daemon does
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder / "jobs", "jobs", _jobs(), ', "last_backfill": 1')
        _write(folder / "nodes", "nodes", _nodes(), "")
        before = _gigabytes()
        began = time.process_time()
        nodes, jobs = (output(["cat", str(folder / each)], "") for each in ("nodes", "jobs"))
    read = time.process_time()
    told = answers.read_jobs(jobs)
    decoded = time.process_time()
    reading = Reading(
        at=Millis(NOW * 1000),
        jobs=told.jobs,
        nodes=answers.read_nodes(nodes).nodes,
        reservations=[],
        planned_at=answers.planned_at(told),
    )
    first = build_view(None, reading, _is_guest)
    ended = time.process_time()
    build_view(first, reading, _is_guest)
    again = time.process_time()
    assert len(first.reports) == NODES
    size = f"{len(jobs) / JOBS:.0f} bytes a job, {len(nodes) / NODES:.0f} a node"
    parts = f"decoding the jobs is {decoded - read:.2f} s of it, another view of the same takes {again - ended:.2f} s"
    return [
        Row(
            name="view of 10,000 nodes and 50,000 jobs from Slurm's JSON, processor time",
            value=ended - read,
            unit="s",
            target=2.0,
            note=f"{size}; {parts}; taking the text from a command, {read - began:.2f} s, is left out",
        ),
        Row(
            name="memory at most, the text included",
            value=_gigabytes(),
            unit="GB",
            target=1.0,
            note=f"{before:.2f} GB before; the text is {(len(jobs) + len(nodes)) / 1e9:.2f} GB, taken from a command; squeue's own memory comes to it",
        ),
    ]


def _write(path: Path, key: str, records: Iterator[dict[str, Any]], rest: str) -> None:
    """Write *records* as Slurm prints them, one at a time: all of them at once would count as memory that was needed."""
    with path.open("w") as file:
        file.write(f'{{"{key}": [\n')
        for number, record in enumerate(records):
            file.write(",\n" * (number > 0) + textwrap.indent(json.dumps(record, indent=2), "    "))
        file.write(f"\n]{rest}}}\n")


def _is_guest(job: JobRecord) -> bool:
    return job.comment.startswith("idleq:")


def _gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _jobs() -> Iterator[dict[str, Any]]:
    """The recorded jobs again and again, with numbers, nodes and times of their own."""
    dice = random.Random(4)
    by_name = {job["name"]: job for job in json.loads((RECORDED / "jobs.json").read_bytes())["jobs"]}
    for number in range(JOBS):
        is_running, is_planned = number < RUNNING, RUNNING <= number < RUNNING + PLANNED
        width = min(1 + int(dice.expovariate(1 / 8)), 500)
        first = dice.randrange(1, NODES - width)
        where = f"node[{first:05}-{first + width - 1:05}]"
        start = NOW + dice.randrange(60, 86_400)
        yield by_name["part" if is_running else "wide"] | {
            "job_id": number + 1,
            "nodes": where if is_running else "",
            "scheduled_nodes": where if is_planned else "",
            "start_time": {"set": True, "infinite": False, "number": start if is_planned else 0},
            "end_time": {"set": True, "infinite": False, "number": start + 3600},
        }


def _nodes() -> Iterator[dict[str, Any]]:
    node = json.loads((RECORDED / "nodes.json").read_bytes())["nodes"][0]
    for number in range(1, NODES + 1):
        yield node | {"name": f"node{number:05}"}
