"""Slurm by its commands."""

import os
import secrets
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec

from idleq.ids import Millis, NodeName
from idleq.scheduler.slurm import answers, columns, questions
from idleq.scheduler.slurm.batch import BatchJob, sbatch_argv, scancel_argv
from idleq.scheduler.slurm.errors import SlurmAway, SlurmLimit, SlurmRefused, SlurmUnreadable
from idleq.scheduler.slurm.partitions import read_partitions
from idleq.scheduler.slurm.questions import Format
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.records import JobRecord, NodeRecord

TIMEOUT_S = 60
"""Slurm's own commands give up after MessageTimeout, 10 s by default, and some tries."""

Output = Callable[[Sequence[str], str], bytes]
"""Runs a program with that standard input and returns what it prints; raises SlurmAway or SlurmRefused."""

Run = Callable[[Sequence[str], str], str]
"""The same, for what is short enough to be text as well: 50,000 jobs are a quarter of a gigabyte."""

AWAY = (
    "Unable to contact slurm controller",
    "Socket timed out",
    "Connection refused",
    "Connection timed out",
    "Connection reset by peer",
    "Broken pipe",
    "Zero Bytes were transmitted",
    "Communication connection failure",
    "Communication shutdown failure",
    "Message send failure",
    "Message receive failure",
    "Unexpected message received",
    "Header lengths are longer than data received",
    "Insane message length",
    "Unable to establish configuration source",
    "Resource temporarily unavailable",
)
"""What the way to the controller says of itself. The controller said neither yes nor no: a job may have been taken."""

LIMITS = ("SubmitJob", "accounting/QOS policy", "temporarily unable to accept job")
"""A job that is refused for one of these may be taken later; "Requested time limit is invalid" never goes away."""

UNKNOWN_JOB = "Invalid job id specified"


def output(argv: Sequence[str], said: str) -> bytes:
    """Run *argv* on this machine; see `Output`."""
    try:
        ran = subprocess.run(
            argv,
            input=said.encode(),
            env=questions.environment(os.environ),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SlurmAway(f"{argv[0]} did not answer within {TIMEOUT_S} s") from error
    except OSError as error:
        raise SlurmRefused(
            f"{argv[0]} cannot be run ({error.strerror}): the daemon must run where Slurm's commands are"
        ) from error
    if ran.returncode < 0:
        raise SlurmAway(f"{argv[0]} was ended by signal {-ran.returncode} before it said all")
    if ran.returncode != 0:
        raise refusal(argv[0], _text(ran.stderr or ran.stdout))
    return ran.stdout


def run(argv: Sequence[str], said: str) -> str:
    """Run *argv* on this machine; see `Run`."""
    return _text(output(argv, said))


def refusal(program: str, said: str) -> SlurmAway | SlurmRefused:
    """Return what it means that *program* failed and *said* that."""
    words = " ".join(said.replace(f"{program}: ", "").split())[-500:]
    if any(sign in said for sign in AWAY):
        return SlurmAway(f"{program}: {words}")
    if any(sign in said for sign in LIMITS):
        return SlurmLimit(f"{program}: {words}")
    return SlurmRefused(f"{program}: {words}")


def unguessable() -> str:
    """Return a mark for the rows of one answer; see `questions.row_end`."""
    return secrets.token_hex(8)


class CommandLine:
    """The `Site` that squeue, scontrol, sinfo, sbatch and scancel show."""

    def __init__(
        self,
        form: Format,
        output: Output = output,
        *,
        wants_features: bool = False,
        new_mark: Callable[[], str] = unguessable,
    ) -> None:
        """*wants_features* asks one question more where answers are in columns; JSON has them anyhow. *new_mark*: see `row_end`."""
        self._form, self._output, self._wants_features, self._new_mark = form, output, wants_features, new_mark

    def read(self, now: Millis) -> Reading:
        """Return all that Slurm says now, in the order that `Site.read` asks for."""
        match self._form:
            case Format.JSON:
                return self._read_json(now)
            case Format.TEXT:
                return self._read_columns(now)

    def _read_json(self, now: Millis) -> Reading:
        """Each answer is read before the next question is asked, so that one text at a time is kept."""
        nodes = answers.read_nodes(self._bytes(questions.ask_nodes(Format.JSON))).nodes
        told = answers.read_jobs(self._bytes(questions.ask_jobs(Format.JSON)))
        reservations = answers.read_reservations(self._bytes(questions.ask_reservations(Format.JSON))).reservations
        return Reading(
            at=now,
            jobs=told.jobs,
            nodes=nodes,
            reservations=reservations,
            planned_at=answers.planned_at(told),
            partitions=read_partitions(self._ask(questions.ask_partitions())),
        )

    def _read_columns(self, now: Millis) -> Reading:
        nodes = columns.read_nodes(self._ask(questions.ask_nodes(Format.TEXT)))
        jobs = self._jobs(partial(questions.ask_jobs, Format.TEXT))
        return Reading(
            at=now,
            jobs=jobs,
            nodes=self._with_features(nodes),
            reservations=columns.read_reservations(self._ask(questions.ask_reservations(Format.TEXT))),
            planned_at=columns.read_last_backfill(self._ask(questions.ask_scheduler(Format.TEXT))),
            partitions=read_partitions(self._ask(questions.ask_partitions())),
        )

    def ends(self, jobs: Sequence[int]) -> Mapping[int, JobRecord]:
        """Return what Slurm still knows of *jobs*."""
        try:
            known = self._jobs(partial(questions.ask_ends, jobs))
        except SlurmRefused as error:
            if UNKNOWN_JOB in str(error):  # said of a single one; of several the unknown are passed over
                return {}
            raise
        return {record.job_id: record for record in known}

    def over_on(self, nodes: Sequence[NodeName] | None) -> Sequence[JobRecord]:
        """Return the jobs that have lately ended on some of *nodes*, or anywhere: a reading has none that is over."""
        return self._jobs(partial(questions.ask_over_on, nodes))

    def submit(self, job: BatchJob) -> int:
        """Submit *job* and return its number."""
        said = _text(self._output(sbatch_argv(job), job.script)).strip()
        number, _, _cluster = said.partition(";")
        if not number.isdecimal():
            raise SlurmUnreadable(f"sbatch printed no job's number but {said[:200]!r}")
        return int(number)

    def cancel(self, jobs: Sequence[int]) -> None:
        """End *jobs*."""
        if jobs:
            self._output(scancel_argv(jobs), "")

    def _with_features(self, nodes: list[NodeRecord]) -> list[NodeRecord]:
        if not self._wants_features:
            return nodes
        known = columns.read_features(self._ask(questions.ask_features()))
        return [msgspec.structs.replace(node, active_features=known.get(node.name, "")) for node in nodes]

    def _jobs(self, question: Callable[[str], Sequence[str]]) -> list[JobRecord]:
        mark = self._new_mark()
        return columns.read_jobs(self._ask(question(mark)), mark)

    def _ask(self, argv: Sequence[str]) -> str:
        return _text(self._bytes(argv))

    def _bytes(self, argv: Sequence[str]) -> bytes:
        return self._output(argv, "")


def _text(said: bytes) -> str:
    return said.decode(errors="replace")
