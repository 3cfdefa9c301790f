"""Records of Slurm's, and what was recorded of real clusters (tests/data/slurm)."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec

from idleq.ids import Millis
from idleq.scheduler.slurm import answers, columns
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.records import JobRecord, NodeRecord, ReservationRecord

RECORDED = Path(__file__).parents[1] / "data" / "slurm"


def recorded_as_json(version: str, state: str) -> Reading:
    """A cluster in *state*, as Slurm told it in JSON."""
    folder = RECORDED / version / state
    jobs = answers.read_jobs((folder / "jobs.json").read_bytes())
    return Reading(
        at=recorded_at(folder),
        jobs=jobs.jobs,
        nodes=answers.read_nodes((folder / "nodes.json").read_bytes()).nodes,
        reservations=answers.read_reservations((folder / "reservations.json").read_bytes()).reservations,
        planned_at=answers.planned_at(jobs),
    )


def recorded_as_text(version: str, state: str) -> Reading:
    """The same cluster, as Slurm told it in columns."""
    folder = RECORDED / version / state
    return Reading(
        at=recorded_at(folder),
        jobs=columns.read_jobs((folder / "jobs.txt").read_text()),
        nodes=columns.read_nodes((folder / "nodes.txt").read_text()),
        reservations=columns.read_reservations((folder / "reservations.txt").read_text()),
        planned_at=None,
    )


def recorded_at(folder: Path) -> Millis:
    """When it was recorded."""
    return Millis(json.loads((folder / "recorded.json").read_text())["at"] * 1000)


def job(number: int, state: str = "RUNNING", **fields: object) -> JobRecord:
    """A main job, of which only what matters is said."""
    plain: dict[str, object] = {
        "job_id": number,
        "name": f"job{number}",
        "partition": "main",
        "job_state": [state],
        "nodes": "",
        "scheduled_nodes": "",
        "start_time": 0,
        "end_time": 0,
        "user_name": "alice",
        "state_reason": "None",
    }
    return msgspec.convert(plain | fields, JobRecord)


def node(name: str = "n1", *states: str, cpus: int = 4, used: int = 0, **fields: object) -> NodeRecord:
    """A node with a gibibyte for each of its *cpus*, of which *used* are allocated."""
    plain: dict[str, object] = {
        "name": name,
        "state": list(states or ("IDLE",)),
        "cpus": cpus,
        "real_memory": cpus * 1024,
        "alloc_cpus": used,
        "alloc_memory": used * 1024,
    }
    return msgspec.convert(plain | fields, NodeRecord)


def reading(
    jobs: Sequence[JobRecord] = (),
    nodes: Sequence[NodeRecord] = (),
    reservations: Sequence[ReservationRecord] = (),
    *,
    at: int = 1_000_000,
    planned_at: int | None = None,
) -> Reading:
    """One look at a cluster; *at* in milliseconds."""
    return Reading(at=Millis(at), jobs=jobs, nodes=nodes, reservations=reservations, planned_at=planned_at)


def is_guest(record: JobRecord) -> bool:
    """Whether it is one of our allocations, in tests."""
    return record.comment.startswith("idleq:")
