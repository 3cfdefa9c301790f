"""Jobs that wait for jobs."""

from idleq.ids import EntryId, Fence, JobId
from idleq.scheduler.core.inputs import Exited, JobCancelled, JobHeld, JobReleased
from idleq.scheduler.core.submission import ArrayRange, Submission
from support.engines import Told, report, spec


def done(told: Told, job: str, code: int = 0) -> None:
    """Let a job's first segment exit."""
    told.tell(Exited(job=JobId(job), fence=Fence(1), code=code, at=told.now, cause="workload"))


def test_a_job_starts_only_when_all_of_what_it_waits_for_is_done() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, 1))
    told.submit(Submission(spec=spec(), after=(EntryId(1),)))
    told.grant("a1", "n1")
    done(told, "1_0")
    assert told.state_of("2") == "Waiting"
    done(told, "1_1")
    assert told.state_of("2") == "Starting"


def test_waiting_in_vain_ends_in_cancellation_all_along_the_chain() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.submit(
        Submission(spec=spec(), array=ArrayRange(0, 3), after=(EntryId(1),)), Submission(spec=spec(), after_here=(0,))
    )
    told.tell(JobHeld(target=JobId("2_1"), reason="x"))
    told.grant("a1", "n1")
    done(told, "1", code=1)
    assert [told.state_of(job) for job in ("1", "2_0", "2_1", "3")] == ["Failed", "Cancelled", "Cancelled", "Cancelled"]
    explained = told.engine.state.entries[EntryId(2)].reason
    assert explained == "job 1, which it waited for, was not done"


def test_waiting_for_what_is_over_already_is_no_waiting() -> None:
    told = Told()
    told.submit_job()
    told.tell(JobCancelled(target=JobId("1")))
    told.submit(Submission(spec=spec(), after=(EntryId(1),)))
    assert told.state_of("2") == "Cancelled"


def test_a_task_released_while_its_array_waits_goes_on_waiting_and_starts_with_it() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.submit(Submission(spec=spec(), array=ArrayRange(0, 1), after=(EntryId(1),)))
    told.tell(JobHeld(target=JobId("2_0"), reason="x"))
    told.tell(JobReleased(target=JobId("2_0")))
    assert told.state_of("2_0") == "Waiting"
    told.grant("a1", "n1")
    done(told, "1")
    assert [told.state_of(job) for job in ("2_0", "2_1")] == ["Starting", "Starting"]


def test_a_held_entry_whose_wait_is_over_stays_held() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.submit(Submission(spec=spec(), after=(EntryId(1),), held=True))
    told.grant("a1", "n1")
    done(told, "1")
    assert told.state_of("2") == "Held"
    told.tell(JobReleased(target=JobId("2")))
    assert told.state_of("2") == "Starting"


def test_a_task_that_was_cancelled_while_waiting_stays_so_and_the_others_go() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.submit_job()
    told.submit(Submission(spec=spec(), array=ArrayRange(0, 1), after=(EntryId(1), EntryId(2))))
    told.tell(JobHeld(target=JobId("3_1"), reason="x"))
    told.grant("a1", "n1")
    done(told, "1")
    done(told, "2")
    assert [told.state_of(job) for job in ("3_0", "3_1")] == ["Starting", "Held"]


def test_when_every_task_was_touched_giving_up_ends_them_one_by_one() -> None:
    told = Told()
    told.submit_job()
    told.submit(Submission(spec=spec(), array=ArrayRange(0, 0), after=(EntryId(1),)))
    told.tell(JobHeld(target=JobId("2_0"), reason="x"))
    told.tell(JobCancelled(target=JobId("1")))
    assert told.state_of("2_0") == "Cancelled"


def test_one_that_waits_for_what_is_done_starts_at_once_and_earlier_ones_are_not_released_again() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1")
    done(told, "1")
    for request in ("first", "second"):
        facts = told.submit(Submission(spec=spec(), after=(EntryId(1),)), request=request).facts
        assert [type(fact).__name__ for fact in facts] == ["EntryAdded", "EntryReady", "SegmentStarted"]
