"""How long the view of a large site takes: 10,000 nodes and 50,000 jobs as `squeue --json` and `scontrol show nodes --json` tell them."""

import json
import random
import resource
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.row import Row
from idleq.bootstrap import collect_rarely
from idleq.ids import Millis
from idleq.scheduler.slurm import answers
from idleq.scheduler.slurm.commandline import output
from idleq.scheduler.slurm.hostlist import expand
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.records import JobRecord
from idleq.scheduler.slurm.view import build_view

NODES, JOBS, RUNNING, PLANNED = 10_000, 50_000, 12_000, 500
NOW = 1_800_000_000
RECORDED = Path(__file__).parents[1] / "tests" / "data" / "slurm" / "24.11" / "busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How long one look at the cluster took, and how large Slurm's answers were. *told_s*: taking them from a command."""

    job_bytes: int
    node_bytes: int
    told_s: float
    decoded_s: float
    seen_s: float
    again_s: float

    def __str__(self) -> str:
        size = f"{self.job_bytes / JOBS:.0f} bytes a job, {self.node_bytes / NODES:.0f} a node"
        parts = (
            f"decoding the jobs is {self.decoded_s:.2f} s of it, another view of the same takes {self.again_s:.2f} s"
        )
        return f"{size}; {parts}; taking the text from a command, {self.told_s:.2f} s, is left out"


def rows() -> list[Row]:
    collect_rarely()  # as the daemon does
    before = _gigabytes()
    printed = _look(is_compact=False)
    memory = _gigabytes()
    compact = _look(is_compact=True)
    text = (printed.job_bytes + printed.node_bytes) / 1e9
    return [
        Row(
            name="view of 10,000 nodes and 50,000 jobs from Slurm's JSON, processor time",
            value=printed.seen_s,
            unit="s",
            target=2.0,
            note=str(printed),
        ),
        Row(
            name="the same from JSON without blanks, which a Slurm later than 24.11 gives",
            value=compact.seen_s,
            unit="s",
            target=2.0,
            note=str(compact),
        ),
        Row(
            name="memory at most, the text included",
            value=memory,
            unit="GB",
            target=1.0,
            note=f"{before:.2f} GB before; the text is {text:.2f} GB, taken from a command; squeue's own memory comes to it",
        ),
    ]


def _look(*, is_compact: bool) -> Look:
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder / "jobs", "jobs", _jobs(), ', "last_backfill": 1', is_compact=is_compact)
        _write(folder / "nodes", "nodes", _nodes(), "", is_compact=is_compact)
        expand.cache_clear()  # the names of nodes are those of an earlier look
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
    return Look(
        job_bytes=len(jobs),
        node_bytes=len(nodes),
        told_s=read - began,
        decoded_s=decoded - read,
        seen_s=ended - read,
        again_s=again - ended,
    )


def _write(path: Path, key: str, records: Iterator[dict[str, Any]], rest: str, *, is_compact: bool) -> None:
    """Write *records* as Slurm prints them, one at a time: all of them at once would count as memory that was needed."""
    with path.open("w") as file:
        file.write(f'{{"{key}": [\n')
        for number, record in enumerate(records):
            file.write(",\n" * (number > 0) + (_compact(record) if is_compact else _printed(record)))
        file.write(f"\n]{rest}}}\n")


def _compact(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":"))


def _printed(record: dict[str, Any]) -> str:
    return textwrap.indent(json.dumps(record, indent=2), "    ")


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
