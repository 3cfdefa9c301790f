"""Jobs whose right results are known, and what must be so once they are over, whatever was killed meanwhile."""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from idleq.ids import EntryId, JobId
from idleq.migration.manifest import decode, digest_of
from idleq.scheduler.api.client import Json
from idleq.scheduler.core.facts import (
    EntryAdded,
    EntryCancelled,
    JobDone,
    JobFailed,
    JobWithdrawn,
    SegmentFailed,
    SegmentFrozen,
    SegmentLost,
    SegmentStarted,
)
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import ArrayRange, FreezeMethod, JobSpec, Submission
from idleq.workloads.count import CountState
from support.real_server import RealServer

MIB = 2**20
ROOM = Resources(1, 64 * MIB)
TWICE = 97
TRIES = 50
"""A guest that is killed from outside counts as a failure of its workload."""


@cache
def counted(steps: int, memory_mb: int) -> str:
    """Return what `count` has to find."""
    state = CountState.begin(0, memory_mb)
    for _ in range(steps):
        state.advance()
    return state.result()


def count(steps: int, seconds: float = 0.05, memory_mb: int = 0) -> Submission:
    """A job that saves itself when asked, and goes on from there."""
    words = ("--steps", str(steps), "--step-seconds", str(seconds), "--memory-mb", str(memory_mb))
    argv = ("{python}", "-m", "idleq.workloads.cli", "count", *words)
    return Submission(spec=JobSpec(name="count", argv=argv, resources=ROOM, retries=TRIES))


def plain(overlaps: Path, array: ArrayRange | None = None) -> Submission:
    """A command that cannot be frozen, and notices if it runs twice at the same time."""
    script = (
        f'flock -n -E {TWICE} "{overlaps}/$IDLEQ_JOB_ID" sh -c \'echo begun > out; sleep 0.1; echo "$IDLEQ_JOB_ID" >> out\'; '
        f'code=$?; [ $code != {TWICE} ] || touch "{overlaps}/twice-$IDLEQ_JOB_ID"; exit $code'
    )
    spec = JobSpec(name="plain", argv=("sh", "-c", script), resources=ROOM, retries=TRIES, freeze=FreezeMethod.NONE)
    return Submission(spec=spec, array=array)


def script(text: str) -> Submission:
    """A shell script that cannot be frozen, and is tried once only."""
    return Submission(spec=JobSpec(name="script", argv=("sh", "-c", text), resources=ROOM, freeze=FreezeMethod.NONE))


def job_of(entry: EntryId) -> JobId:
    """Return the job of an entry that is no array."""
    return JobId(str(entry))


def running(server: RealServer, submission: Submission) -> tuple[EntryId, int]:
    """Submit, and return the job with its process once that is up and known to be."""
    (entry,) = server.submit(submission)
    pid = server.until(lambda: server.guest_of(str(entry)))
    server.until(lambda: state_of(server, entry) == "running")
    return entry, pid


def row_of(server: RealServer, entry: EntryId) -> Json:
    """Return what `idleq ps` says of a job."""
    rows: list[Json] = server.ask(lambda client: client.jobs(with_final=True))["jobs"]
    return next(row for row in rows if row["id"] == str(entry))


def state_of(server: RealServer, entry: EntryId) -> str:
    """Return what `idleq ps` says that a job is in."""
    return str(row_of(server, entry)["state"])


def freeze(server: RealServer, entry: EntryId, step: int = 1) -> None:
    """Hold a job once it has come to *step*, and wait until it is frozen."""
    server.until(lambda: row_of(server, entry)["state"] == "running" and row_of(server, entry)["step"] >= step)
    server.ask(lambda client: client.hold(job_of(entry)))
    server.until(lambda: state_of(server, entry) == "held")


def starts(server: RealServer, entry: EntryId) -> list[SegmentStarted]:
    """Return the beginnings of a job's segments."""
    return [fact for fact in server.facts_of(SegmentStarted) if fact.job == str(entry)]


@dataclass(slots=True)
class Crowd:
    """The jobs that were submitted to a server."""

    server: RealServer
    chance: random.Random
    submitted: dict[EntryId, Submission] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.overlaps.mkdir()

    @property
    def overlaps(self) -> Path:
        """Where plain commands see each other."""
        return self.server.folder / "overlaps"

    def add(self, submission: Submission) -> EntryId:
        """Submit one."""
        (entry,) = self.server.submit(submission)
        assert entry not in self.submitted
        self.submitted[entry] = submission
        return entry

    def add_any(self) -> EntryId:
        """Submit something."""
        kinds = (
            lambda: count(self.chance.randint(10, 25)),
            lambda: plain(self.overlaps),
            lambda: plain(self.overlaps, ArrayRange(0, 2)),
        )
        return self.add(self.chance.choice(kinds)())

    def keep_busy(self, least: int = 3) -> None:
        """See that there are always some jobs that are not over."""
        found = self.server.ask(lambda client: client.jobs())["jobs"]
        if len(found) < least:
            self.add_any()

    def check(self) -> None:
        """Every job has exactly one accepted result, and it is whole and right."""
        server = self.server
        server.until_over(list(self.submitted))
        check_journal(server, self.submitted)
        for done in server.facts_of(JobDone):
            check_result(server, done, self.submitted[EntryId(int(done.job.partition("_")[0]))])
        assert [path.name for path in self.overlaps.iterdir() if path.name.startswith("twice")] == []


def jobs_of(entry: EntryId, submission: Submission) -> list[JobId]:
    """Return the names of the jobs that *submission* makes."""
    if submission.array is None:
        return [JobId(str(entry))]
    tasks = submission.array
    return [JobId(f"{entry}_{index}") for index in range(tasks.first, tasks.last + 1, tasks.step)]


def check_journal(server: RealServer, submitted: dict[EntryId, Submission]) -> None:
    """No entry is lost or doubled, each job is done once, and no two segments of one were ever open at once."""
    assert [added.entry for added in server.facts_of(EntryAdded)] == sorted(submitted)
    wanted = [job for entry, submission in submitted.items() for job in jobs_of(entry, submission)]
    assert Counter(done.job for done in server.facts_of(JobDone)) == Counter(wanted)
    assert [fact for fact in server.facts() if isinstance(fact, JobFailed | JobWithdrawn | EntryCancelled)] == []
    check_segments(server)


def check_segments(server: RealServer) -> None:
    """Every segment has an end before the next of its job begins."""
    is_open: dict[JobId, int] = {}
    last: dict[JobId, int] = {}
    for fact in server.facts():
        match fact:
            case SegmentStarted():
                assert fact.job not in is_open
                assert fact.fence == last.get(fact.job, 0) + 1
                is_open[fact.job] = last[fact.job] = fact.fence
            case SegmentFrozen() | SegmentLost() | SegmentFailed() | JobDone():
                assert is_open.pop(fact.job) == fact.fence
            case _:
                pass
    assert is_open == {}


def check_result(server: RealServer, done: JobDone, submission: Submission) -> None:
    """The link leads to the accepted segment, whose output is what was published, and right."""
    where = server.paths.job(done.job)
    server.until(where.result.is_symlink)
    assert str(where.result.readlink()) == f"segments/{done.fence:04d}/output"
    text = where.segment(done.fence).manifest.read_bytes()
    assert digest_of(text) == done.digest
    found = {str(path.relative_to(where.result)): path for path in where.result.rglob("*") if path.is_file()}
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}
    assert hashes == {entry.path: entry.digest for entry in decode(text).files}
    if submission.spec.name == "plain":
        assert found["out"].read_text() == f"begun\n{done.job}\n"
    else:
        check_count(found, submission.spec.argv)


def check_count(found: dict[str, Path], argv: Sequence[str]) -> None:
    """Every step was counted once, and the sum is right."""
    steps, memory_mb = (int(argv[argv.index(name) + 1]) for name in ("--steps", "--memory-mb"))
    result = json.loads(found["result.json"].read_text())
    assert result == {"steps": steps, "sha256": counted(steps, memory_mb)}
    told = [json.loads(line)["step"] for line in found["progress.jsonl"].read_text().splitlines()]
    assert told == list(range(1, steps + 1))
