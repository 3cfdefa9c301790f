"""Records of Slurm's, and what was recorded of real clusters (tests/data/slurm)."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.slurm import answers, columns
from idleq.scheduler.slurm.batch import BatchJob
from idleq.scheduler.slurm.errors import SlurmError
from idleq.scheduler.slurm.partitions import Partition, read_partitions
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.records import JobRecord, NodeRecord, ReservationRecord

RECORDED = Path(__file__).parents[1] / "data" / "slurm"


FEATURES = (RECORDED / "24.11" / "unlike" / "features.txt").read_text()
"""What sinfo prints of the features of the nodes in the state `unlike`, once for each partition."""


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
        partitions=recorded_partitions(version, state),
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
        partitions=recorded_partitions(version, state),
    )


def recorded_partitions(version: str, state: str) -> tuple[Partition, ...]:
    """The partitions of that state, which are those of the plain site unless they were recorded."""
    own, plain = (RECORDED / version / each / "partitions.txt" for each in (state, "plain"))
    return read_partitions((own if own.exists() else plain).read_text())


def recorded_at(folder: Path) -> Millis:
    """When it was recorded."""
    return Millis(json.loads((folder / "recorded.json").read_text())["at"] * 1000)


def job(number: int, state: str = "RUNNING", **fields: object) -> JobRecord:
    """A main job, of which only what matters is said."""
    plain: dict[str, object] = {
        "job_id": number,
        "name": f"job{number}",
        "job_state": [state],
        "nodes": "",
        "scheduled_nodes": "",
        "start_time": 0,
        "end_time": 0,
        "user_name": "alice",
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


def token(end: int | None, user: str = "alice") -> str:
    """A token that expires at *end* (milliseconds)."""
    claims = {"sun": user} | ({} if end is None else {"exp": end // 1000})
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims, {})
    )


def batch(allocation: str) -> BatchJob:
    """An allocation as Slurm is asked for it."""
    return BatchJob(
        comment=f"idleq:s1:{allocation}",
        name=f"idleq-{allocation}",
        partition="guests",
        qos="",
        account="",
        node=None,
        resources=Resources(2, 2**30),
        minutes=10,
        least_minutes=None,
        folder="/",
        script="#!/bin/sh\n",
    )


class FakeSite:
    """A `Site` whose jobs the test moves by hand; *failure* is raised by the next submission, taken or not, *away* by the next
    question for ends, *unwilling* by the next cancelling."""

    def __init__(self, nodes: Sequence[NodeRecord] = ()) -> None:
        self.jobs: dict[int, JobRecord] = {}
        self.ended: dict[int, JobRecord] = {}
        self.nodes = nodes
        self.cancelled: list[int] = []
        self.failure: SlurmError | None = None
        self.is_taken = True
        self.away: SlurmError | None = None
        self.unwilling: SlurmError | None = None

    def read(self, now: Millis) -> Reading:
        return reading(list(self.jobs.values()), self.nodes, at=now)

    def ends(self, jobs: Sequence[int]) -> Mapping[int, JobRecord]:
        away, self.away = self.away, None
        if away is not None:
            raise away
        return {number: self.ended[number] for number in jobs if number in self.ended}

    def over_on(self, nodes: Sequence[NodeName] | None) -> Sequence[JobRecord]:
        return [record for record in self.ended.values() if nodes is None or record.nodes in nodes]

    def submit(self, batch: BatchJob) -> int:
        failure, self.failure = self.failure, None
        number = 101 + len(self.jobs) + len(self.ended)
        if failure is None or self.is_taken:
            self.jobs[number] = job(number, "PENDING", comment=batch.comment, name=batch.name)
        if failure is not None:
            raise failure
        return number

    def cancel(self, jobs: Sequence[int]) -> None:
        unwilling, self.unwilling = self.unwilling, None
        if unwilling is not None:
            raise unwilling
        self.cancelled += jobs

    def run(self, number: int, **fields: object) -> None:
        """Slurm starts the job."""
        running = {"job_state": ["RUNNING"], "nodes": "n1", "end_time": 9000, "tres_alloc_str": "cpu=2,mem=2G"}
        self._change(number, **(running | fields))

    def change(self, number: int, *states: str) -> None:
        """The job goes on into *states*, and is still shown."""
        self._change(number, job_state=list(states))

    def end(self, number: int, *states: str) -> None:
        """The job is over, and shown no more; asked by number, Slurm says *states*, or nothing if there are none."""
        record = self.jobs.pop(number)
        if states:
            self.ended[number] = msgspec.structs.replace(record, job_state=list(states))

    def _change(self, number: int, **fields: object) -> None:
        self.jobs[number] = msgspec.structs.replace(self.jobs[number], **fields)


def is_guest(record: JobRecord) -> bool:
    """Whether it is one of our allocations, in tests."""
    return record.comment.startswith("idleq:")
