"""How often guests save, by how surprising gaps of one age have been."""

from itertools import pairwise

from idleq.ids import Fence, JobId, Millis
from idleq.scheduler.core.commands import Replan
from idleq.scheduler.core.gaps import AGES, TRUSTED_SURPRISES, Foresight
from idleq.scheduler.core.inputs import Progressed
from idleq.scheduler.core.policy import HOUR, MINUTE, Policy
from idleq.scheduler.core.resources import Resources
from support.engines import Told, report, snapshot

NOTHING_FREE = Resources(0, 0)


def closed(*lengths: int) -> Foresight:
    foresight = Foresight()
    for length in lengths:
        foresight.learn(opened_at=Millis(0), closed_at=Millis(length), planned_end=None, is_surprise=True)
    return foresight


def test_a_gap_counts_at_every_age_that_it_reached_and_its_end_at_the_last() -> None:
    foresight = closed(3 * MINUTE)
    assert foresight.exposure_at[:4] == [MINUTE, MINUTE, MINUTE, 0]
    assert foresight.surprises_at[:4] == [0, 0, 1, 0]
    assert sum(foresight.exposure_at) == foresight.exposure_ms == 3 * MINUTE


def test_an_age_without_gaps_has_the_rate_of_all() -> None:
    foresight = closed(*[MINUTE] * 9)
    surprises, exposure = foresight.hazard
    at_age, time_at_age = foresight.hazard_at(AGES[-1])
    assert (at_age, time_at_age) == (TRUSTED_SURPRISES, TRUSTED_SURPRISES * exposure // surprises)


def test_where_short_gaps_are_many_old_ones_are_safer() -> None:
    foresight = closed(*[MINUTE // 2] * 90, *[4 * HOUR] * 10)
    rates = [surprises / time for surprises, time in map(foresight.hazard_at, (Millis(0), MINUTE, HOUR))]
    assert all(young > old for young, old in pairwise(rates))


def hosting() -> Told:
    """A node of many short gaps and few long ones, with a guest that saves."""
    told = Told(policy=Policy(grace_ms=Millis(0)))
    told.submit_job()
    for _ in range(40):
        told.see(report("n1"))
        told.tick(MINUTE // 2)
        told.see(report("n1", free=NOTHING_FREE))
    told.see(report("n1"))
    told.grant("a1", "n1")
    told.launched("1")
    return told


def saved(told: Told, number: int) -> None:
    kept = snapshot("1", 1, number, run_ms=number * 1000, taken_at=told.now)
    told.tell(
        Progressed(job=JobId("1"), fence=Fence(1), step=number, total=None, saved=kept, save_ms=Millis(10_000)),
        after_ms=2 * HOUR,
    )


def test_the_next_save_waits_for_longer_once_the_gap_is_old() -> None:
    told = hosting()
    job = told.engine.state.jobs[JobId("1")]
    assert job.segment is not None
    first = job.segment.plan.save_every_ms
    saved(told, 1)
    replan = told.commands[-1]
    assert isinstance(replan, Replan)
    assert first is not None
    assert replan.plan.save_every_ms is not None
    assert replan.plan.save_every_ms > first * 5 // 4


def test_between_saves_the_interval_stays_whatever_else_moves() -> None:
    told = hosting()
    job = told.engine.state.jobs[JobId("1")]
    assert job.segment is not None
    told.tick(2 * HOUR)
    told.see(report("n1", planned=told.now + 3 * HOUR))
    replan = told.commands[-1]
    assert isinstance(replan, Replan)
    assert replan.plan.freeze_at is not None
    assert replan.plan.save_every_ms == job.segment.plan.save_every_ms


def test_a_closure_before_the_planned_end_is_a_surprise_however_early_the_plan_was_known() -> None:
    told = Told()
    told.see(report("n1", planned=told.now + 10 * HOUR))
    told.tick(HOUR)
    told.see(report("n1", free=NOTHING_FREE))
    assert told.engine.state.foresight.surprises == 1
    told.see(report("n1", planned=told.now + HOUR))
    told.tick(HOUR)
    told.see(report("n1", free=NOTHING_FREE))
    assert told.engine.state.foresight.surprises == 1
