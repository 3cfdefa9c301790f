"""Slurm by its commands."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence

import msgspec

from idleq.ids import Millis
from idleq.scheduler.slurm import answers, columns, questions
from idleq.scheduler.slurm.batch import BatchJob, sbatch_argv, scancel_argv
from idleq.scheduler.slurm.errors import SlurmAway, SlurmLimit, SlurmRefused, SlurmUnreadable
from idleq.scheduler.slurm.partitions import read_partitions
from idleq.scheduler.slurm.questions import Format
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.records import JobRecord, NodeRecord

TIMEOUT_S = 60
"""Slurm's own commands give up after MessageTimeout, 10 s by default, and some tries."""

Run = Callable[[Sequence[str], str], str]
"""Runs a program with that standard input and returns what it prints; raises SlurmAway or SlurmRefused."""

AWAY = (
    "Unable to contact slurm controller",
    "Socket timed out",
    "Connection refused",
    "Connection timed out",
    "Zero Bytes were transmitted",
    "Unable to establish configuration source",
    "Resource temporarily unavailable",
)
LIMITS = ("SubmitJob", "accounting/QOS policy", "temporarily unable to accept job")
"""A job that is refused for one of these may be taken later; "Requested time limit is invalid" never goes away."""

UNKNOWN_JOB = "Invalid job id specified"


def run(argv: Sequence[str], said: str) -> str:
    """Run *argv* on this machine; see `Run`."""
    try:
        ran = subprocess.run(
            argv,
            input=said,
            env=questions.environment(os.environ),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SlurmAway(f"{argv[0]} did not answer within {TIMEOUT_S} s") from error
    except OSError as error:
        raise SlurmRefused(
            f"{argv[0]} cannot be run ({error.strerror}): the daemon must run where Slurm's commands are"
        ) from error
    if ran.returncode != 0:
        raise refusal(argv[0], ran.stderr or ran.stdout)
    return ran.stdout


def refusal(program: str, said: str) -> SlurmAway | SlurmRefused:
    """Return what it means that *program* failed and *said* that."""
    words = " ".join(said.split())[-500:]
    if any(sign in said for sign in AWAY):
        return SlurmAway(f"{program}: {words}")
    if any(sign in said for sign in LIMITS):
        return SlurmLimit(f"{program}: {words}")
    return SlurmRefused(f"{program}: {words}")


class CommandLine:
    """The `Site` that squeue, scontrol, sinfo, sbatch and scancel show."""

    def __init__(self, form: Format, run: Run = run, *, wants_features: bool = False) -> None:
        """*wants_features* asks one question more where answers are in columns; JSON has them anyhow."""
        self._form, self._run, self._wants_features = form, run, wants_features

    def read(self, now: Millis) -> Reading:
        """Return all that Slurm says now, in the order that `Site.read` asks for."""
        nodes = self._ask(questions.ask_nodes(self._form))
        jobs = self._ask(questions.ask_jobs(self._form))
        reservations = self._ask(questions.ask_reservations(self._form))
        partitions = read_partitions(self._ask(questions.ask_partitions()))
        match self._form:
            case Format.JSON:
                told = answers.read_jobs(jobs.encode())
                return Reading(
                    at=now,
                    jobs=told.jobs,
                    nodes=answers.read_nodes(nodes.encode()).nodes,
                    reservations=answers.read_reservations(reservations.encode()).reservations,
                    planned_at=answers.planned_at(told),
                    partitions=partitions,
                )
            case Format.TEXT:
                return Reading(
                    at=now,
                    jobs=columns.read_jobs(jobs),
                    nodes=self._with_features(columns.read_nodes(nodes)),
                    reservations=columns.read_reservations(reservations),
                    planned_at=columns.read_last_backfill(self._ask(questions.ask_scheduler(self._form))),
                    partitions=partitions,
                )

    def ends(self, jobs: Sequence[int]) -> Mapping[int, JobRecord]:
        """Return what Slurm still knows of *jobs*."""
        try:
            said = self._ask(questions.ask_ends(jobs))
        except SlurmRefused as error:
            if UNKNOWN_JOB in str(error):  # said of a single one; of several the unknown are passed over
                return {}
            raise
        return {record.job_id: record for record in columns.read_jobs(said)}

    def submit(self, job: BatchJob) -> int:
        """Submit *job* and return its number."""
        said = self._run(sbatch_argv(job), job.script).strip()
        number, _, _cluster = said.partition(";")
        if not number.isdecimal():
            raise SlurmUnreadable(f"sbatch printed no job's number but {said[:200]!r}")
        return int(number)

    def cancel(self, jobs: Sequence[int]) -> None:
        """End *jobs*."""
        if jobs:
            self._run(scancel_argv(jobs), "")

    def _with_features(self, nodes: list[NodeRecord]) -> list[NodeRecord]:
        if not self._wants_features:
            return nodes
        known = columns.read_features(self._ask(questions.ask_features()))
        return [msgspec.structs.replace(node, active_features=known.get(node.name, "")) for node in nodes]

    def _ask(self, argv: Sequence[str]) -> str:
        return self._run(argv, "")
