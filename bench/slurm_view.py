"""How long the view of a large site and its gaps take: 10,000 nodes and 50,000 jobs as squeue, scontrol and sinfo tell them."""

import json
import random
import resource
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.row import Row
from idleq.bootstrap import collect_rarely
from idleq.ids import Millis
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.inputs import ViewChanged
from idleq.scheduler.slurm import answers, columns
from idleq.scheduler.slurm.commandline import output
from idleq.scheduler.slurm.hostlist import expand
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.records import JobRecord
from idleq.scheduler.slurm.view import build_view

NODES, JOBS, RUNNING, PLANNED = 10_000, 50_000, 12_000, 500
NOW = 1_800_000_000
RECORDED = Path(__file__).parents[1] / "tests" / "data" / "slurm" / "24.11" / "busy"


class Way(StrEnum):
    """How Slurm answers."""

    PRINTED = "JSON"
    #: `SLURM_JSON=compact`
    COMPACT = "JSON without blanks"
    #: `cluster.format = "text"`
    COLUMNS = "columns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How long one look at the cluster took, and how large Slurm's answers were. *told_s*: taking them from a command."""

    job_bytes: int
    node_bytes: int
    told_s: float
    decoded_s: float
    seen_s: float
    gaps_s: float
    again_s: float

    def __str__(self) -> str:
        size = f"{self.job_bytes / JOBS:.0f} bytes a job, {self.node_bytes / NODES:.0f} a node"
        parts = (
            f"decoding the jobs is {self.decoded_s:.2f} s of it, finding the gaps in the view {self.gaps_s:.2f} s; "
            f"another view of the same takes {self.again_s:.2f} s"
        )
        return f"{size}; {parts}; taking the text from a command, {self.told_s:.2f} s, is left out"


def rows() -> list[Row]:
    collect_rarely()  # as the daemon does
    before = _gigabytes()
    printed = _look(Way.PRINTED)
    memory = _gigabytes()
    text = (printed.job_bytes + printed.node_bytes) / 1e9
    return [
        _row("view and gaps of 10,000 nodes and 50,000 jobs from Slurm's JSON, processor time", printed),
        _row("the same from JSON without blanks, which a Slurm later than 24.11 gives", _look(Way.COMPACT)),
        _row('the same from columns (cluster.format = "text")', _look(Way.COLUMNS)),
        Row(
            name="memory at most with JSON, the text included",
            value=memory,
            unit="GB",
            target=1.0,
            note=f"{before:.2f} GB before; the text is {text:.2f} GB, taken from a command; squeue's own memory comes to it",
        ),
    ]


def _row(name: str, look: Look) -> Row:
    return Row(name=name, value=look.seen_s, unit="s", target=2.0, note=str(look))


def _look(way: Way) -> Look:
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder / "jobs", "jobs", _jobs(), way)
        _write(folder / "nodes", "nodes", _nodes(), way)
        expand.cache_clear()  # the names of nodes are those of an earlier look
        began = time.process_time()
        nodes, jobs = (output(["cat", str(folder / each)], "") for each in ("nodes", "jobs"))
    read = time.process_time()
    told = columns.read_jobs(jobs.decode()) if way is Way.COLUMNS else answers.read_jobs(jobs).jobs
    decoded = time.process_time()
    reading = Reading(
        at=Millis(NOW * 1000),
        jobs=told,
        nodes=columns.read_nodes(nodes.decode()) if way is Way.COLUMNS else answers.read_nodes(nodes).nodes,
        reservations=[],
        planned_at=1,
    )
    first = build_view(None, reading, _is_guest)
    seen = time.process_time()
    Engine().handle(ViewChanged(deltas=tuple(first.reports.values())), reading.at)
    ended = time.process_time()
    build_view(first, reading, _is_guest)
    again = time.process_time()
    assert (len(reading.jobs), len(first.reports)) == (JOBS, NODES)
    return Look(
        job_bytes=len(jobs),
        node_bytes=len(nodes),
        told_s=read - began,
        decoded_s=decoded - read,
        seen_s=ended - read,
        gaps_s=ended - seen,
        again_s=again - ended,
    )


def _write(path: Path, key: str, records: Iterator[dict[str, Any]], way: Way) -> None:
    """Write *records* as Slurm prints them, one at a time: all of them at once would count as memory that was needed."""
    with path.open("w") as file:
        if way is Way.COLUMNS:
            file.writelines(_job_line(each) if key == "jobs" else _node_line(each) for each in records)
            return
        file.write(f'{{"{key}": [\n')
        for number, record in enumerate(records):
            file.write(",\n" * (number > 0) + (_compact(record) if way is Way.COMPACT else _printed(record)))
        file.write('\n], "last_backfill": 1}\n')


def _compact(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":"))


def _printed(record: dict[str, Any]) -> str:
    return textwrap.indent(json.dumps(record, indent=2), "    ")


def _job_line(job: dict[str, Any]) -> str:
    start, end, since = (job[name]["number"] for name in ("start_time", "end_time", "eligible_time"))
    return (
        f"{job['job_id']}|{job['job_state'][0]}|{job['partition']}|{job['user_name']}|{start}|{end}|N/A|{since}|{job['nodes']}|"
        f"{job['scheduled_nodes'] or '(null)'}|{job['tres_alloc_str']}|{job['state_reason']}|{job['comment'] or '(null)'}|{job['name']}|\n"
    )


def _node_line(node: dict[str, Any]) -> str:
    cpus = f"{node['alloc_cpus']}/{node['cpus'] - node['alloc_cpus']}/0/{node['cpus']}"
    return (
        f"{node['name']}|{node['state'][0].lower()}|{cpus}|{node['real_memory']}|{node['alloc_memory']}|(null)|gpu:0|\n"
    )


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
