"""Which way a job is frozen that may be frozen by either: the one that has cost less, once both were seen."""

import pytest
from msgspec import structs

from idleq.ids import JobId, Millis
from idleq.scheduler.core.commands import Launch
from idleq.scheduler.core.explain import explain
from idleq.scheduler.core.inputs import Frozen, JobsSubmitted, Launched
from idleq.scheduler.core.methods import Choice, Cost, chosen
from idleq.scheduler.core.policy import SECOND
from idleq.scheduler.core.recent import Recent
from idleq.scheduler.core.submission import FreezeMethod, Submission
from support.engines import Told, report, snapshot, spec

MB = 1_000_000
CRIU, APP = FreezeMethod.CRIU, FreezeMethod.APP


def freezes(*each: tuple[int, int]) -> Recent:
    recent = Recent()
    for took, size in each:
        recent.add(Millis(took), size)
    return recent


@pytest.mark.parametrize(
    ("criu", "app", "preferred"),
    [
        ([(5000, 900)] * 4, [(1000, 10)] * 4, APP),
        ([(1000, 900)] * 4, [(5000, 10)] * 4, CRIU),
        ([(1000, 900)] * 4, [(1050, 10)] * 4, APP),  # none is a tenth quicker, and so fewer bytes decide
        ([(1050, 10)] * 4, [(1000, 900)] * 4, CRIU),
        ([(1000, 10)] * 4, [(1000, 10)] * 4, CRIU),  # alike in all
        ([(5000, 900)] * 3 + [(1, 1)], [(9000, 10)] + [(1000, 10)] * 3, APP),  # one wild freeze of each
        ([(5000, 900)] * 3, [(1000, 10)] * 32, None),
        ([(5000, 900)] * 32, [(1000, 10)] * 3, None),
    ],
)
def test_the_quicker_way_is_preferred_and_among_equally_quick_ones_that_of_fewer_bytes(
    criu: list[tuple[int, int]], app: list[tuple[int, int]], preferred: FreezeMethod | None
) -> None:
    assert chosen({CRIU: freezes(*criu), APP: freezes(*app)}).preferred is preferred


def test_of_each_way_the_middle_is_told_and_how_many_freezes_it_is_of() -> None:
    assert chosen({APP: freezes((100, 7), (300, 9), (200, 8))}) == Choice(
        criu=Cost(0, Millis(0), 0), app=Cost(3, Millis(200), 8), preferred=None
    )


class Site:
    """Jobs called w, frozen by either way, one after the other on one node each."""

    def __init__(self) -> None:
        self.told = Told()
        self.jobs = 0
        self.snapshots = 0

    def submit(self, user: str = "ann", freeze: FreezeMethod = FreezeMethod.AUTO) -> JobId:
        self.jobs += 1
        wishes = spec("w", cores=4, freeze=freeze)
        request = f"r{self.jobs}"
        self.told.tell(JobsSubmitted(submissions=(Submission(spec=wishes),), request=request, user=user))
        allocation, node = f"a{self.told.engine.state.next_allocation}", f"n{self.jobs}"
        self.told.see(report(node))
        self.told.grant(allocation, node, abilities=("criu",))
        return JobId(str(self.jobs))

    def freeze(self, job: JobId, method: FreezeMethod, took_s: int, size: int, times: int = 4) -> None:
        """Let it freeze and go on so often."""
        for _ in range(times):
            fence = self.told.engine.state.jobs[job].fence
            self.told.tell(Launched(job=job, fence=fence, at=self.told.now, thaw_ms=Millis(0)))
            self.snapshots += 1
            left = snapshot(job, fence, self.snapshots, self.snapshots * 60_000, size=size)
            left = structs.replace(left, needs=("criu",) if method is CRIU else ())
            took = Millis(took_s * SECOND)
            self.told.tell(Frozen(job=job, fence=fence, snapshot=left, at=self.told.now, freeze_ms=took, reason="x"))

    def launches(self, job: JobId) -> list[FreezeMethod | None]:
        return [said.prefers for said in self.told.commands if isinstance(said, Launch) and said.job == job]

    def why(self, job: JobId) -> list[str]:
        explained = explain(self.told.engine.state, job, self.told.now)
        assert explained is not None
        return [sentence for sentence in explained.sentences if sentence.startswith("It is frozen by")]


def test_segments_prefer_the_way_that_cost_less_once_both_were_seen_often_enough() -> None:
    site = Site()
    job = site.submit()
    site.freeze(job, CRIU, 5, 900 * MB)
    site.freeze(job, APP, 1, 10 * MB)
    assert site.launches(job) == [None] * 8 + [APP]
    assert site.why(job) == [
        (
            "It is frozen by app where that works, since freezes of its kind by app took 1.0 s and 10.0 MB (middle of 4), "
            "by criu 5.0 s and 900.0 MB (middle of 4)."
        )
    ]


def test_until_then_what_the_node_can_decides_and_people_are_told_so() -> None:
    site = Site()
    job = site.submit()
    assert site.why(job) == [
        (
            "It is frozen by criu where the node can, else by the program itself (app) if it listens: to compare the two, "
            "4 freezes of its kind by each are needed, and there were 0 and 0."
        )
    ]
    site.freeze(job, CRIU, 5, 900 * MB, times=5)
    site.freeze(job, APP, 1, 10 * MB, times=3)
    assert site.launches(job) == [None] * 9
    assert site.why(job)[0].endswith("there were 5 and 3.")


def test_anybodys_freezes_decide_for_a_user_who_has_none_and_ones_own_before_them() -> None:
    site = Site()
    ann = site.submit("ann")
    site.freeze(ann, CRIU, 5, 900 * MB)
    site.freeze(ann, APP, 1, 10 * MB)
    bob = site.submit("bob")
    assert site.launches(bob) == [APP]
    site.freeze(bob, CRIU, 1, 10 * MB, times=32)
    site.freeze(bob, APP, 5, 10 * MB)
    assert site.launches(bob)[-1] is CRIU
    assert site.why(ann)[0].startswith("It is frozen by app")


@pytest.mark.parametrize("method", [CRIU, APP])
def test_a_job_that_says_how_it_is_frozen_is_not_asked_for_anything_else(method: FreezeMethod) -> None:
    site = Site()
    job = site.submit(freeze=method)
    site.freeze(job, APP, 1, 10 * MB)
    assert set(site.launches(job)) == {None}
    assert site.why(job) == []
