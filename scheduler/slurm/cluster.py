"""The port `Cluster` on Slurm: allocations are batch jobs, found again by their comments."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress

from msgspec.structs import replace

from idleq.ids import AllocationId, Millis, NodeName
from idleq.scheduler.core.commands import ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.inputs import AllocationGranted, AllocationLost, Input, NodeLost, Reconciled
from idleq.scheduler.ports import Clock
from idleq.scheduler.slurm import harm
from idleq.scheduler.slurm.batch import SiteSettings, allocation_of, batch_job
from idleq.scheduler.slurm.beyond import node_of, out_of_reach, why_it_may_live
from idleq.scheduler.slurm.errors import SlurmAway, SlurmRefused, SlurmUnreadable
from idleq.scheduler.slurm.hostlist import expand
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.records import JobRecord, instant
from idleq.scheduler.slurm.site import Site
from idleq.scheduler.slurm.view import View, build_view, changes, node_for

REMEMBERED = 10_000
"""So many allocations that are over are remembered, for requests that come late."""

LOOKS_WITHOUT = 2
"""A job that is in no answer so often, and of which Slurm knows nothing when asked by number, is over: one look may fall into a restart."""

Ticket = Callable[[AllocationId], str]
"""Returns what an allocation's script is to tell its agent, "" for nothing; see `batch.script`."""

Agent = Callable[[RequestAllocation], Sequence[str]]
"""Returns what an allocation runs; see `batch.script` for the words that it may leave to the node."""


class SlurmCluster:
    """Allocations from Slurm.

    *lease_ms* is how long an agent whose lease nobody renews keeps its guests, and takes to stop them: an allocation whose node
    failed or does not answer is told to be over only after that, since Slurm cannot know what still runs there. *bound_ms* is the
    most that a main job may wait for guests.
    """

    def __init__(
        self,
        site: Site,
        settings: SiteSettings,
        clock: Clock,
        agent: Agent,
        *,
        lease_ms: Millis,
        bound_ms: Millis,
        ticket: Ticket = lambda _allocation: "",
    ) -> None:
        self._ticket = ticket
        self._site, self._settings, self._clock, self._agent, self._lease_ms = site, settings, clock, agent, lease_ms
        self._view: View | None = None
        self._numbers: dict[AllocationId, int] = {}
        self._granted: dict[AllocationId, NodeName] = {}
        self._missed: dict[AllocationId, int] = {}
        self._failed: dict[AllocationId, tuple[Millis, str]] = {}
        self._over: dict[AllocationId, str] = {}
        self._doubtful: set[AllocationId] = set()
        self._doubled: set[int] = set()
        self._cancelled: set[int] = set()
        self._unsaid: list[Input] = []
        self._bound_ms, self._evictions = bound_ms, harm.Evictions()

    def request(self, command: RequestAllocation) -> None:
        """Submit a batch job, unless there is or was one for this allocation."""
        allocation = command.allocation
        if allocation in self._over:
            self._unsaid.append(AllocationLost(allocation=allocation, reason=self._over[allocation]))
            return
        if self._view is None or allocation in self._doubtful:
            self._find(self._site.read(self._clock.now()))
        if allocation in self._numbers:
            return
        try:
            asked = replace(command, node=node_for(command, self._view))
            ticket = self._ticket(allocation)
            job = batch_job(asked, self._settings, self._agent(command), self._clock.now(), ticket)
            self._numbers[allocation] = self._site.submit(job)
        except (SlurmAway, SlurmUnreadable):
            # It may have been taken all the same: looked for before it is submitted again.
            self._doubtful.add(allocation)
            raise
        self._doubtful.discard(allocation)

    def release(self, command: ReleaseAllocation) -> None:
        """Cancel the batch job."""
        allocation = command.allocation
        if allocation in self._numbers:
            self._site.cancel([self._numbers[allocation]])
        else:
            reason = self._over.get(allocation, "it is not known here")
            self._unsaid.append(AllocationLost(allocation=allocation, reason=reason))

    def poll(self, known: Collection[AllocationId] = ()) -> Iterable[Input]:
        """Return what has changed since the last poll; the first tells everything, and how those that were *known* have ended."""
        now = self._clock.now()
        reading = self._site.read(now)
        present = self._find(reading)
        self._cancel_unwanted(present)
        if self._view is None:
            self._find_over(reading, frozenset(known).difference(present))
        ends = self._ask_ends(present)
        begun = [*reading.jobs, *ends.values()]
        # The last question: before it nothing is taken as told, since it may fail.
        begun += self._ask_over(reading, begun)
        # What is taken as told is kept until it is: a later step may fail over an answer that cannot be used.
        self._note_beginnings(reading, present)
        self._note_ends(reading, present, ends)
        self._note_held_up(begun, now)
        said, self._unsaid = self._unsaid, []
        return said

    def _note_beginnings(self, reading: Reading, present: Mapping[AllocationId, JobRecord]) -> None:
        """Tell what has begun, then how nodes look: a request that has been granted does not wait for a gap that has closed.

        Nobody has heard of a new node before its looks are told: what has begun on one comes after them.
        """
        view, grants = self._look(reading), self._grants(present)
        opening = [Reconciled(allocations=tuple(self._numbers))] if self._view is None else []
        known = self._view.reports if self._view is not None else {}
        changed = changes(self._view, view)
        looks = [] if changed is None else [changed]
        early = [grant for grant in grants if grant.node in known]
        late = [grant for grant in grants if grant.node not in known]
        self._view = view
        self._granted |= {grant.allocation: grant.node for grant in grants}
        self._unsaid += [*opening, *early, *looks, *late]

    def _find(self, reading: Reading) -> dict[AllocationId, JobRecord]:
        """Return our allocations that are not over, by what *reading* has.

        A daemon that died while it submitted may have left a job that its successor did not see yet: of two jobs of one allocation
        the first is the one that counts.
        """
        settings, over = self._settings, self._over
        held = ((allocation_of(job, settings), job) for job in reading.jobs if job.is_waiting or job.is_on_nodes)
        ours = [(allocation, job) for allocation, job in held if allocation is not None and allocation not in over]
        present: dict[AllocationId, JobRecord] = {}
        for allocation, job in sorted(ours, key=lambda pair: pair[1].job_id):
            if present.setdefault(allocation, job) is not job:
                self._doubled.add(job.job_id)
        self._numbers |= {allocation: job.job_id for allocation, job in present.items()}
        return present

    def _find_over(self, reading: Reading, missing: Collection[AllocationId]) -> None:
        """Find again those of *missing* that ended before anybody asked: they are judged as if they ended now.

        A lease is not counted from its allocation's end: agents were heard after that, by the last daemon, or by this one, which
        gives each a whole lease. Of several jobs of one allocation the last that began counts: others are of an earlier server directory
        in this place, or were cancelled as second ones.
        """
        jobs = (*reading.jobs, *self._site.over_on(None)) if missing else ()
        for job in sorted(jobs, key=lambda job: (node_of(job) is not None, job.job_id)):
            allocation = allocation_of(job, self._settings)
            if allocation is not None and allocation in missing:
                self._numbers[allocation] = job.job_id

    def _cancel_unwanted(self, present: Mapping[AllocationId, JobRecord]) -> None:
        """Cancel what nobody counts with: second jobs of an allocation, and what waits after a submission that was told to have failed."""
        doubtful = {each for each in self._doubtful if each in present and present[each].is_waiting}
        for number in self._doubled.union(present[each].job_id for each in doubtful) - self._cancelled:
            with suppress(SlurmRefused):  # it is over meanwhile
                self._site.cancel([number])
            self._cancelled.add(number)
        self._doubtful -= doubtful
        self._doubled.clear()

    def _look(self, reading: Reading) -> View:
        settings = self._settings
        return build_view(
            self._view,
            reading,
            self._is_ours,
            settings.partitions,
            settings.needed_features,
            shares_nodes=settings.shares_nodes,
        )

    def _grants(self, present: Mapping[AllocationId, JobRecord]) -> list[AllocationGranted]:
        granted: list[AllocationGranted] = []
        for allocation, job in present.items():
            if allocation in self._granted or "RUNNING" not in job.states:
                continue
            (node,) = expand(job.nodes)
            until = instant(job.end_time)
            granted.append(AllocationGranted(allocation=allocation, node=node, resources=job.resources, until=until))
        return granted

    def _ask_ends(self, present: Mapping[AllocationId, JobRecord]) -> Mapping[int, JobRecord]:
        """Return what Slurm says, by number, of allocations that are in no answer any more."""
        asked = [
            number
            for allocation, number in self._numbers.items()
            if allocation not in present and allocation not in self._failed
        ]
        return self._site.ends(asked) if asked else {}

    def _ask_over(self, reading: Reading, jobs: Sequence[JobRecord]) -> list[JobRecord]:
        """Return the main jobs that may have come and gone between two looks where guests had to leave."""
        left = harm.lately_left(self._evictions, jobs, self._is_ours, reading.at)
        where = [node.name for node in reading.nodes if node.name in left]
        return [job for job in self._site.over_on(where) if not self._is_ours(job)] if where else []

    def _note_ends(
        self, reading: Reading, present: Mapping[AllocationId, JobRecord], ends: Mapping[int, JobRecord]
    ) -> None:
        """Tell what is over: Slurm says so by number, or knows nothing of it any more."""
        for allocation in present:
            self._missed.pop(allocation, None)
        unreached = out_of_reach(reading)
        gone = {allocation: number for allocation, number in self._numbers.items() if allocation not in present}
        for allocation, number in gone.items():
            self._unsaid += self._end(allocation, ends.get(number), reading.at, unreached)

    def _note_held_up(self, jobs: Iterable[JobRecord], now: Millis) -> None:
        """Tell which main jobs have started where guests had to leave."""
        self._evictions, started = harm.follow(self._evictions, jobs, self._is_ours, self._bound_ms, now)
        self._unsaid += started

    def _is_ours(self, job: JobRecord) -> bool:
        return allocation_of(job, self._settings) is not None

    def _end(
        self, allocation: AllocationId, job: JobRecord | None, now: Millis, unreached: frozenset[NodeName]
    ) -> list[Input]:
        if allocation in self._failed:
            until, reason = self._failed[allocation]
            return [self._finish(allocation, reason)] if now >= until else []
        if job is None:
            self._missed[allocation] = self._missed.get(allocation, 0) + 1
            if self._missed[allocation] < LOOKS_WITHOUT:
                return []
        elif job.is_waiting or job.is_on_nodes:
            return []  # it came back, or begins, between two questions
        reason = "Slurm no longer knows it" if job is None else ended(job)
        node = self._granted.get(allocation) or (None if job is None else node_of(job))
        why = why_it_may_live(job, node, unreached)
        if node is None or not why:
            return [self._finish(allocation, reason)]
        self._failed[allocation] = Millis(now + self._lease_ms), reason
        return [NodeLost(allocation=allocation, reason=why)]

    def _finish(self, allocation: AllocationId, reason: str) -> AllocationLost:
        for known in (self._numbers, self._granted, self._missed, self._failed):
            known.pop(allocation, None)
        self._over[allocation] = reason
        if len(self._over) > REMEMBERED:
            del self._over[next(iter(self._over))]
        return AllocationLost(allocation=allocation, reason=reason)


REASONS = {
    "PREEMPTED": "preempted",
    "TIMEOUT": "its time was up",
    "COMPLETED": "its agent left",
    "CANCELLED": "cancelled",
    "FAILED": "its agent failed",
    "OUT_OF_MEMORY": "it ran out of memory",
    "DEADLINE": "its deadline passed",
    "BOOT_FAIL": "its node did not boot",
    "NODE_FAIL": "its node failed",
}


def ended(job: JobRecord) -> str:
    """Return in words how *job* ended."""
    words = [REASONS[state] for state in job.states if state in REASONS]
    return words[0] if words else f"Slurm says {'+'.join(job.states)}"
