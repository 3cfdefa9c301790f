"""Which snapshots may go."""

from dataclasses import replace

import pytest
from msgspec import structs

from idleq.ids import AllocationId, Fence, JobId, Millis, SnapshotId
from idleq.machines import Machine, Needs
from idleq.scheduler.core.inputs import AllocationLost, Exited, Frozen, JobCancelled, JobHeld, SnapshotRemoved
from idleq.scheduler.core.retention import AFTER_END, SETTLED, Doomed, Holding, Stray, doomed, holdings
from idleq.scheduler.core.snapshot import Snapshot
from support.engines import START, Told, report, snapshot

JOB, OTHER = JobId("1"), JobId("2")


def of(job: JobId, *sizes: int, in_use: int | None = None, ended_at: Millis | None = None, since: int = 0) -> Holding:
    """A job with snapshots of these *sizes*, a second apart from *since* on."""
    kept = tuple(
        structs.replace(snapshot(job, number, 1, 0, taken_at=START + 1000 * (since + number)), bytes=size)
        for number, size in enumerate(sizes, 1)
    )
    return Holding(
        job=job,
        name="w",
        snapshots=kept,
        in_use=None if in_use is None else kept[in_use].id,
        is_active=in_use is not None,
        ended_at=ended_at,
    )


def names(found: tuple[Doomed, ...]) -> list[SnapshotId]:
    return [one.snapshot for one in found]


def test_within_the_quota_nothing_goes() -> None:
    assert doomed([of(JOB, 10, 10), of(OTHER, 10)], [], 30, START) == ()
    assert doomed([of(JOB, 10, 10), of(OTHER, 10)], [], None, START) == ()


def test_above_the_quota_the_oldest_that_a_job_can_do_without_goes_first_and_no_more_than_needed() -> None:
    old, new = of(JOB, 10, 10, 10), of(OTHER, 10, 10, since=100)
    assert names(doomed([new, old], [], 40, START)) == ["1-1-1"]
    assert names(doomed([new, old], [], 30, START)) == ["1-1-1", "1-2-1"]
    assert names(doomed([new, old], [], 29, START)) == ["1-1-1", "1-2-1", "2-1-1"]


def test_the_last_good_one_never_goes_nor_the_one_that_is_in_use_however_little_is_allowed() -> None:
    assert names(doomed([of(JOB, 10, 10, 10, in_use=0), of(OTHER, 10)], [], 0, START)) == ["1-2-1"]


def test_what_is_left_of_a_job_that_is_over_goes_before_anything_that_could_still_be_needed() -> None:
    over = of(OTHER, 10, 10, ended_at=START, since=100)
    assert names(doomed([of(JOB, 10, 10), over], [], 20, START)) == ["2-1-1", "2-2-1"]
    assert names(doomed([of(JOB, 10, 10), over], [], 0, START)) == ["2-1-1", "2-2-1", "1-1-1"]


def test_snapshots_of_a_job_that_is_over_go_after_a_day() -> None:
    over = of(JOB, 10, 10, ended_at=START)
    assert doomed([over], [], None, Millis(START + AFTER_END - 1)) == ()
    assert names(doomed([over], [], None, Millis(START + AFTER_END))) == ["1-1-1", "1-2-1"]


@pytest.mark.parametrize("is_active", [True, False])
def test_what_the_journal_does_not_know_goes_once_no_news_of_it_can_come_any_more(is_active: bool) -> None:  # noqa: FBT001 - a case
    hold = replace(of(JOB, 10), is_active=is_active)
    stray = Stray(JOB, SnapshotId("0001-0009"), START)
    assert doomed([hold], [stray], None, Millis(START + SETTLED - 1)) == ()
    later = doomed([hold], [stray], None, Millis(START + SETTLED))
    expected = Doomed(JOB, SnapshotId("0001-0009"), "the journal does not know it", is_known=False)
    assert later == (() if is_active else (expected,))


def with_snapshots(*needs: Needs | None) -> Told:
    """A job that was frozen so many times and goes on."""
    told = Told()
    told.see(report("n1"), report("n2"))
    told.submit_job()
    told.grant("a1", "n1", machine=Machine(cpu="c1"))
    for fence, one in enumerate(needs, 1):
        told.launched("1", fence)
        taken: Snapshot = snapshot("1", fence, 1, run_ms=fence * 60_000, bound_to=one)
        told.tell(
            Frozen(job=JOB, fence=Fence(fence), snapshot=taken, at=told.now, freeze_ms=Millis(9), reason="asked"),
            after_ms=60_000,
        )
    return told


def held(told: Told) -> Told:
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="preempted"))
    told.tell(JobHeld(target=JOB, reason="wait"))
    return told


def removed(told: Told, name: str, job: JobId = JOB) -> str:
    """Why it was refused; "" if it was not."""
    decision = told.tell(SnapshotRemoved(job=job, snapshot=SnapshotId(name), reason="not wanted"))
    return decision.refusal.message if decision.refusal else ""


def left(told: Told) -> list[SnapshotId]:
    return [kept.id for kept in told.engine.state.jobs[JOB].snapshots]


def test_an_older_snapshot_can_be_removed_and_the_newest_too_but_never_the_last() -> None:
    told = held(with_snapshots(None, None))
    assert removed(told, "1-1-1") == ""
    assert left(told) == ["1-2-1"]
    assert "all that job 1 can go on from" in removed(told, "1-2-1")
    told = held(with_snapshots(None, None))
    assert removed(told, "1-2-1") == ""
    assert (left(told), told.engine.state.jobs[JOB].run_ms) == (["1-1-1"], 60_000)


def test_the_one_that_the_present_segment_was_thawed_from_stays() -> None:
    told = with_snapshots(None, None)
    assert "was thawed from 1-2-1" in removed(told, "1-2-1")
    assert removed(told, "1-1-1") == ""


def test_what_is_not_there_cannot_be_removed() -> None:
    told = with_snapshots(None)
    assert removed(told, "1-9-1").startswith("job 1 has no snapshot 1-9-1")
    assert removed(told, "x", JobId("7")) == "there is no job 7"


def test_of_a_job_that_is_over_all_can_be_removed_and_its_count_stays_right() -> None:
    told = held(with_snapshots(None, None))
    told.tell(JobCancelled(target=JOB))
    assert [removed(told, name) for name in ("1-1-1", "1-2-1")] == ["", ""]
    entry = told.engine.state.entries[told.engine.state.jobs[JOB].entry]
    assert (entry.cancelled, left(told), told.engine.state.jobs[JOB].run_ms) == (1, [], 120_000)


def test_a_job_that_waits_stands_in_the_line_of_what_it_goes_on_from_then() -> None:
    told = with_snapshots(None, Needs(cpu="c1"))
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="preempted"))
    assert told.engine.state.queue.choosy == 1
    assert removed(told, "1-2-1") == ""
    assert (told.engine.state.queue.choosy, told.engine.state.queue.jobs) == (0, 1)


def test_jobs_that_may_have_snapshots_are_those_that_have_begun_and_have_no_result() -> None:
    told = with_snapshots(None, None)
    told.submit_job(cores=4)
    (hold,) = holdings(told.engine.state)
    assert (hold.job, [kept.id for kept in hold.snapshots]) == (JOB, ["1-1-1", "1-2-1"])
    assert (hold.in_use, hold.is_active, hold.ended_at) == (SnapshotId("1-2-1"), True, None)
    told.launched("1", 3)
    told.tell(Exited(job=JOB, fence=Fence(3), code=1, at=told.now, cause="workload"))
    (hold,) = (hold for hold in holdings(told.engine.state) if hold.job == JOB)
    assert (hold.in_use, hold.is_active, hold.ended_at) == (None, False, Millis(told.now - 1))
