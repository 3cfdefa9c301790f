"""Slurm in the name of many users: each one's allocations are submitted with a token of that user, by a daemon that may make tokens (`server.shared`)."""

from collections.abc import Callable, Mapping, Sequence

from idleq.ids import Millis, NodeName
from idleq.scheduler.ports import Clock
from idleq.scheduler.slurm.batch import BatchJob
from idleq.scheduler.slurm.errors import SlurmRefused
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.records import JobRecord
from idleq.scheduler.slurm.site import Site
from idleq.scheduler.slurm.token import ends_at, parse_token

RENEW_BEFORE_MS = Millis(60_000)
"""A token that expires while a request is under way would be refused."""


class UserTokens:
    """The tokens of users, in memory only: *make* is asked for a fresh one whenever the last of that user ends soon."""

    def __init__(self, make: Callable[[str], str], clock: Clock) -> None:
        self._make, self._clock = make, clock
        self._known: dict[str, str] = {}

    def of(self, user: str) -> str:
        """Return a token of *user* that holds for a while yet."""
        known = self._known.get(user)
        end = None if known is None else ends_at(known)
        if known is None or end is None or end - RENEW_BEFORE_MS <= self._clock.now():
            known = self._known[user] = parse_token(self._make(user))
        return known


class AsUsers:
    """A `Site` that submits as each allocation's user; it reads, and ends jobs, as *own*, which may do so for all."""

    def __init__(self, own: Site, of: Callable[[str], Site]) -> None:
        self._own, self._of = own, of

    def read(self, now: Millis) -> Reading:
        """Return all that Slurm says now."""
        return self._own.read(now)

    def ends(self, jobs: Sequence[int]) -> Mapping[int, JobRecord]:
        """Return what it still knows of *jobs*."""
        return self._own.ends(jobs)

    def over_on(self, nodes: Sequence[NodeName] | None) -> Sequence[JobRecord]:
        """Return the jobs that have lately ended there."""
        return self._own.over_on(nodes)

    def submit(self, job: BatchJob) -> int:
        """Submit *job* as its user; raise SlurmRefused if it is nobody's, since it would be ours then."""
        if not job.user:
            raise SlurmRefused(f"{job.name} belongs to no user, and nothing is submitted as the daemon's own here")
        return self._of(job.user).submit(job)

    def cancel(self, jobs: Sequence[int]) -> None:
        """End *jobs*, whoever's they are."""
        self._own.cancel(jobs)
