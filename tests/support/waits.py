"""How long main jobs waited for guests by Slurm's accounting alone, which knows nothing of idleq."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from idleq.ids import NodeName
from idleq.scheduler.slurm.hostlist import expand
from testbed.cluster import Testbed
from testbed.waiting import wait_for

NEVER = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounted:
    """A job of anybody's, in seconds since the epoch; what is not known yet is NEVER."""

    job: str
    eligible: int
    start: int
    end: int
    nodes: frozenset[NodeName]


def accounted_of(slurm: Testbed, user: str, *, ended: Iterable[str] = ()) -> list[Accounted]:
    """What accounting has of *user*'s jobs that have begun; it is waited for those that have *ended*, as it lags a little."""
    argv = ("env", "SLURM_TIME_FORMAT=%s", "sacct", "-X", "-n", "-P", f"--user={user}")
    awaited = frozenset(ended)

    def look() -> list[Accounted] | None:
        said = slurm.login.run(*argv, "--format=JobID,Eligible,Start,End,NodeList")
        return list(read_accounted(said)) if awaited <= frozenset(over(said)) else None

    return wait_for("the accounting", look, seconds=60, every=0.5) if awaited else look() or []


def over(text: str) -> Iterator[str]:
    """Yield the jobs that are over, begun or not, of what sacct printed."""
    for line in text.splitlines():
        job, _, _, end, _ = line.split("|")
        if end.isdecimal():
            yield job


def read_accounted(text: str) -> Iterator[Accounted]:
    """Yield the jobs that have begun, of what sacct printed."""
    for line in text.splitlines():
        job, eligible, start, end, nodes = line.split("|")
        if start.isdecimal() and eligible.isdecimal():
            until = int(end) if end.isdecimal() else NEVER
            yield Accounted(
                job=job, eligible=int(eligible), start=int(start), end=until, nodes=frozenset(expand(nodes))
            )


def waits_for_guests(main_jobs: Iterable[Accounted], guests: Iterable[Accounted]) -> Mapping[str, int]:
    """Return the seconds that each main job waited on whose nodes guests were when it became eligible.

    As long as other main jobs began or ended it may have waited for them (they come first in the queue, or had its nodes): what counts
    is the time from the last of that until it began, when nothing but guests changed.
    """
    main_jobs, guests = list(main_jobs), list(guests)
    return {
        job.job: job.start - max((job.eligible, *_changes(job, main_jobs)))
        for job in main_jobs
        if any(each.start <= job.eligible < each.end and each.nodes & job.nodes for each in guests)
    }


def _changes(job: Accounted, main_jobs: Iterable[Accounted]) -> Iterator[int]:
    """Yield when other main jobs began or ended while *job* waited; one that began together with it may have waited as long."""
    for other in main_jobs:
        if job.eligible < other.start < job.start:
            yield other.start
        if job.eligible < other.end <= job.start:
            yield other.end
