"""Whose jobs say how whose are planned: one's own snapshot, one's own kind, anybody's of that name, and then the policy."""

from idleq.ids import EntryId, Fence, JobId, Millis
from idleq.scheduler.core.commands import Launch, Replan
from idleq.scheduler.core.costs import Basis
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.explain import explain
from idleq.scheduler.core.inputs import AllocationLost, Frozen, JobHeld, JobsSubmitted, Launched, Progressed
from idleq.scheduler.core.policy import HOUR, SECOND, Policy
from idleq.scheduler.core.submission import FreezeMethod, Submission
from support.engines import START, Told, report, snapshot, spec

MB = 1_000_000
END = Millis(START + 3 * HOUR)
POLICY = Policy(
    freeze_ms=Millis(10 * SECOND), thaw_ms=Millis(0), margin_ms=Millis(0), bandwidth=MB, grace_ms=Millis(HOUR)
)
"""A second for each megabyte on its way, and an hour's grace: plans say how large and how slow a freeze is thought to be."""


class Python:
    """Jobs that are all called python, each on a node of its own."""

    def __init__(self) -> None:
        self.told = Told(POLICY)
        self.nodes: dict[str, str] = {}
        self.snapshots = 0

    def submit(self, user: str, freeze: FreezeMethod = FreezeMethod.APP) -> JobId:
        """Submit a job that has a node of its own, and let it run there."""
        number = len(self.nodes) + 1
        job = JobId(str(number))
        self.nodes[job] = f"n{number}"
        wishes = spec("python", cores=4, freeze=freeze)
        self.told.tell(JobsSubmitted(submissions=(Submission(spec=wishes),), request=f"r{number}", user=user))
        self.come_up(job)
        return job

    def come_up(self, job: JobId) -> None:
        allocation = f"a{self.told.engine.state.next_allocation}"
        self.told.see(report(self.nodes[job], planned=END))
        self.told.grant(allocation, self.nodes[job])

    def fence(self, job: JobId) -> Fence:
        return self.told.engine.state.jobs[job].fence

    def runs(self, job: JobId, thaw_ms: int = 0) -> None:
        self.told.tell(Launched(job=job, fence=self.fence(job), at=self.told.now, thaw_ms=Millis(thaw_ms)))

    def saves(self, job: JobId, megabytes: int, took_s: int) -> None:
        self.snapshots += 1
        saved = snapshot(job, self.fence(job), self.snapshots, self.snapshots * 60_000, size=megabytes * MB)
        self.told.tell(
            Progressed(
                job=job,
                fence=self.fence(job),
                step=self.snapshots,
                total=None,
                saved=saved,
                save_ms=Millis(took_s * SECOND),
            )
        )

    def freezes(self, job: JobId, megabytes: int, took_s: int) -> None:
        """Let it freeze, and start again on the same node."""
        self.snapshots += 1
        fence = self.fence(job)
        left = snapshot(job, fence, self.snapshots, self.snapshots * 60_000, size=megabytes * MB)
        took = Millis(took_s * SECOND)
        self.told.tell(Frozen(job=job, fence=fence, snapshot=left, at=self.told.now, freeze_ms=took, reason="x"))

    def planned_s(self, job: JobId) -> int:
        """How long before the gap's end the job's agent was last told to begin with the freeze, in seconds."""
        plans = [said.plan for said in self.told.commands if isinstance(said, Launch | Replan) and said.job == job]
        freeze_at = plans[-1].freeze_at
        assert freeze_at is not None
        return (END - freeze_at) // SECOND

    def why(self, job: JobId) -> str:
        explained = explain(self.told.engine.state, job, self.told.now)
        assert explained is not None
        return explained.sentences[2]


def test_two_users_programs_of_one_name_do_not_spoil_each_others_plans() -> None:
    site = Python()
    ann, bob = site.submit("ann"), site.submit("bob")
    for job in (ann, bob):
        site.runs(job)
    site.freezes(ann, megabytes=2, took_s=1)
    site.freezes(bob, megabytes=900, took_s=60)
    assert (site.planned_s(ann), site.planned_s(bob)) == (2 + 1, 900 + 60)
    fresh = [site.submit(user) for user in ("ann", "bob")]
    assert [site.planned_s(job) for job in fresh] == [2 + 1, 900 + 60]
    site.freezes(ann, megabytes=2, took_s=1)
    site.freezes(bob, megabytes=900, took_s=60)
    assert [site.planned_s(job) for job in (ann, bob, *fresh)] == [2 + 1, 900 + 60] * 2


def test_a_job_that_has_grown_is_frozen_earlier_whatever_the_newest_of_its_kind_weighs() -> None:
    site = Python()
    grown, small = site.submit("ann"), site.submit("ann")
    for job in (grown, small):
        site.runs(job)
        site.saves(job, megabytes=2, took_s=0)
    assert [site.planned_s(job) for job in (grown, small)] == [2 + 10] * 2
    site.saves(grown, megabytes=500, took_s=0)
    site.saves(small, megabytes=6, took_s=0)
    assert [site.planned_s(job) for job in (grown, small)] == [500 + 10, 6 + 10]
    site.freezes(small, megabytes=6, took_s=10)
    site.freezes(grown, megabytes=500, took_s=10)
    site.freezes(small, megabytes=6, took_s=10)
    assert [site.planned_s(job) for job in (grown, small)] == [500 + 10, 6 + 10]


def test_guests_of_one_allocation_are_packed_each_by_its_own_size() -> None:
    told = Told(POLICY)
    told.see(report("n1", planned=END))
    told.submit(*[Submission(spec=spec("python"))] * 2)
    told.grant("a1", "n1")
    for job, size in (("1", 100 * MB), ("2", 7 * MB)):
        told.launched(job)
        saved = snapshot(job, 1, 1, 60_000, size=size)
        told.tell(
            Progressed(job=JobId(job), fence=Fence(1), step=1, total=None, saved=saved, save_ms=Millis(10 * SECOND))
        )
    plans = {said.job: said.plan.freeze_at for said in told.commands if isinstance(said, Launch | Replan)}
    assert plans == {"1": END - (10 + 7 + 100) * SECOND, "2": END - (10 + 7) * SECOND}


def test_a_fresh_job_of_a_kind_with_mixed_sizes_is_planned_for_the_large_ones() -> None:
    site = Python()
    for megabytes in (700, 5, 3):
        job = site.submit("ann")
        site.runs(job)
        site.freezes(job, megabytes, took_s=4)
    fresh = site.submit("ann")
    assert site.planned_s(fresh) == 700 + 4
    site.runs(fresh)
    site.saves(fresh, megabytes=5, took_s=0)
    assert site.planned_s(fresh) == 5 + 4


def test_a_job_is_planned_by_anybodys_of_its_name_as_long_as_its_users_taught_nothing_and_explain_says_so() -> None:
    site = Python()
    bob = site.submit("bob")
    site.runs(bob)
    assert site.why(bob) == "Its freeze is reckoned to take 10.0 s, as the policy says, since no freeze was measured."
    site.freezes(bob, megabytes=30, took_s=7)
    ann = site.submit("ann")
    site.runs(ann)
    assert site.planned_s(ann) == 30 + 7
    said = (
        "Its freeze is reckoned to take 7.0 s, as freezes of anybody's jobs of that name took, "
        "for the size that 95 % of them keep within."
    )
    assert site.why(ann) == said
    other = site.submit("cleo", FreezeMethod.AUTO)
    assert site.planned_s(other) == 10  # what a program takes that saves itself says nothing of what criu takes
    site.freezes(ann, megabytes=2, took_s=1)
    site.runs(ann)
    assert site.why(ann) == (
        "Its freeze is reckoned to take 1.0 s, as freezes of its user's jobs of that name took, "
        "for what its newest snapshot weighs."
    )


def test_a_thaw_is_learned_by_the_size_of_what_was_thawed() -> None:
    site = Python()
    sizes = (100, 200, 300, 400)
    jobs = [site.submit("ann") for _ in sizes]
    for job, megabytes in zip(jobs, sizes, strict=True):
        site.runs(job)
        site.freezes(job, megabytes, took_s=10)
    for job, megabytes in zip(jobs, sizes, strict=True):
        site.runs(job, thaw_ms=5 * megabytes)
    state = site.told.engine.state
    assert [state.typical(state.entries[EntryId(int(job))], state.jobs[job]).thaw_ms for job in jobs] == [
        500,
        1000,
        1500,
        2000,
    ]


def test_a_thaw_from_what_is_kept_no_more_teaches_nothing() -> None:
    site = Python()
    job = site.submit("ann")
    site.runs(job)
    site.freezes(job, megabytes=1, took_s=1)
    site.told.tell(JobHeld(target=job, reason="x"))
    for _ in range(POLICY.generations):
        site.saves(job, megabytes=1, took_s=1)
    site.runs(job, thaw_ms=77)
    state = site.told.engine.state
    assert state.typical(state.entries[EntryId(1)], state.jobs[job]).thaw_ms == POLICY.thaw_ms


def test_a_restart_believes_of_each_kind_what_was_believed_before_and_forgets_the_same_next() -> None:
    site = Python()
    for number in range(4):
        job = site.submit(("ann", "bob")[number % 2])
        site.runs(job)
        site.freezes(job, megabytes=10 + number, took_s=1)
        site.runs(job, thaw_ms=300)
    site.told.tell(AllocationLost(allocation=next(iter(site.told.engine.state.allocations)), reason="preempted"))
    costs, again = site.told.engine.state.costs, Engine.restore(site.told.facts).state.costs
    assert (again, list(again.measured)) == (costs, list(costs.measured))
    assert len(costs.measured) == 3
    kinds = site.told.engine.state.entries[EntryId(2)].kinds
    assert again.freeze(kinds, 950, 10 * MB, POLICY.freeze_ms) == (SECOND, Basis.USER)
