"""What is taken into the queue, and what is refused without a trace."""

import pytest
from msgspec import structs

from idleq.ids import EntryId, JobId
from idleq.scheduler.core.inputs import JobCancelled, JobHeld, JobReleased, Paused, Resumed
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import ArrayRange, Submission
from idleq.scheduler.core.wishes import FreezeWished, MoveWished
from support.engines import GB, Told, report, spec


def test_the_same_call_twice_makes_its_jobs_once() -> None:
    told = Told()
    first = told.submit(Submission(spec=spec()), Submission(spec=spec()), request="same")
    again = told.submit(Submission(spec=spec()), Submission(spec=spec()), request="same")
    assert first.entries == again.entries == (1, 2)
    assert again.facts == ()


@pytest.mark.parametrize(
    ("submission", "message"),
    [
        (Submission(spec=structs.replace(spec(), argv=())), "it has no command"),
        (Submission(spec=spec(cores=0)), "at least one core"),
        (Submission(spec=spec(expected_ms=-1)), "durations must be positive"),
        (Submission(spec=spec(max_run_ms=0)), "durations must be positive"),
        (Submission(spec=spec(retries=-1)), "retries cannot be negative"),
        (Submission(spec=spec(), array=ArrayRange(5, 3)), "not a range of numbers"),
        (Submission(spec=spec(), array=ArrayRange(0, 10)), "an array may have 10 tasks at most, this one has 11"),
        (
            Submission(spec=spec(cores=5)),
            "no node is large enough: the largest has 4 cores, 8192 MiB of memory and 0 GPUs",
        ),
        (Submission(spec=spec(), after=(EntryId(7),)), "it waits for 7, which does not exist"),
        (Submission(spec=spec(), after_here=(3,)), "waits for job number 4 of this call, which has 1"),
        (Submission(spec=spec(), after_here=(0,)), "wait for each other in a circle: w -> w"),
    ],
)
def test_a_wrong_submission_is_refused_and_changes_nothing(submission: Submission, message: str) -> None:
    told = Told(Policy(max_array=10))
    told.see(report("n1"))
    decision = told.submit(submission)
    assert decision.refusal is not None
    assert decision.refusal.kind == "invalid"
    assert message in decision.refusal.message
    assert (decision.facts, decision.commands, told.engine.state.entries) == ((), (), {})


def test_one_wrong_job_refuses_the_whole_call() -> None:
    told = Told()
    assert told.submit(Submission(spec=spec()), Submission(spec=spec(cores=0))).refusal is not None
    assert told.submit().refusal is not None
    assert told.engine.state.entries == {}


def test_a_job_that_waits_for_others_of_its_call_starts_when_they_are_done() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit(Submission(spec=spec()), Submission(spec=spec(), after_here=(0,)))
    told.grant("a1", "n1")
    assert told.state_of("2") == "Waiting"
    told.tell(JobCancelled(target=JobId("1")))
    assert told.state_of("1") == "Killing"


@pytest.mark.parametrize("target", ["9", "x", "1_9", "2_0", "0", "1_01"])
def test_acting_on_a_job_that_does_not_exist_is_refused(target: str) -> None:
    told = Told()
    told.submit_job(ArrayRange(0, 3))
    told.submit_job()
    for what in (
        JobCancelled(target=JobId(target)),
        JobHeld(target=JobId(target), reason="x"),
        JobReleased(target=JobId(target)),
        FreezeWished(target=JobId(target), reason="x"),
        MoveWished(target=JobId(target)),
    ):
        decision = told.tell(what)
        assert decision.refusal is not None
        assert decision.refusal.kind == "unknown"
        assert decision.facts == ()


def test_what_is_over_cannot_be_cancelled_and_what_is_free_cannot_be_released() -> None:
    told = Told()
    told.submit_job()
    assert told.tell(JobReleased(target=JobId("1"))).refusal is not None
    assert told.tell(JobCancelled(target=JobId("1"))).refusal is None
    again = told.tell(JobCancelled(target=JobId("1")))
    assert again.refusal is not None
    assert again.refusal.kind == "conflict"


def test_a_single_task_can_be_held_released_and_cancelled_before_it_starts() -> None:
    told = Told()
    told.submit_job(ArrayRange(0, 9, 3))
    told.tell(JobHeld(target=JobId("1_3"), reason="look at it first"))
    assert [told.state_of(task) for task in ("1_0", "1_3", "1_6")] == ["Queued", "Held", "Queued"]
    told.tell(JobHeld(target=JobId("1_3"), reason="again"))
    told.tell(JobReleased(target=JobId("1_3")))
    assert told.state_of("1_3") == "Queued"
    told.tell(JobCancelled(target=JobId("1_0")))
    told.tell(JobCancelled(target=JobId("1")))
    assert [told.state_of(task) for task in ("1_0", "1_3", "1_6", "1_9")] == ["Cancelled"] * 4
    assert told.engine.state.queue.jobs == 0


def test_holding_a_whole_entry_holds_its_rest_and_freezes_what_runs() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, 5), cores=2)
    told.grant("a1", "n1")
    decision = told.tell(JobHeld(target=JobId("1"), reason="wrong input"))
    assert [type(command).__name__ for command in decision.commands] == ["Freeze", "Freeze"]
    assert [told.state_of(task) for task in ("1_0", "1_1", "1_2")] == ["Freezing", "Freezing", "Held"]
    told.tell(JobReleased(target=JobId("1")))
    assert told.state_of("1_2") == "Queued"


def test_a_held_submission_waits_for_its_release() -> None:
    told = Told()
    told.submit(Submission(spec=spec(), held=True))
    assert told.state_of("1") == "Held"
    told.tell(JobReleased(target=JobId("1")))
    assert told.state_of("1") == "Queued"


def test_a_pause_twice_is_one_pause_and_a_resume_of_nothing_is_nothing() -> None:
    told = Told()
    assert told.tell(Resumed()).facts == ()
    assert len(told.tell(Paused(empty=False, reason="x")).facts) == 1
    assert told.tell(Paused(empty=False, reason="x")).facts == ()


def test_an_emptying_pause_freezes_what_runs_and_what_was_just_starting() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(cores=2)
    told.submit_job(cores=2)
    told.grant("a1", "n1")
    told.launched("1")
    decision = told.tell(Paused(empty=True, reason="power cut"))
    assert [type(command).__name__ for command in decision.commands] == ["Freeze", "Freeze"]
    assert told.state_of("1") == told.state_of("2") == "Freezing"


def test_resources_are_counted_one_by_one() -> None:
    node = Resources(4, 8 * GB, 1)
    assert Resources(4, 8 * GB, 1).fits_in(node)
    assert not Resources(1, 9 * GB).fits_in(node)
    assert not Resources(1, GB, 2).fits_in(node)
    assert node - Resources(1, GB, 1) + Resources(1, GB, 1) == node


def test_releasing_a_full_array_lets_nothing_start_beyond_its_limit() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, 5, 1, limit=1))
    told.grant("a1", "n1")
    told.tell(JobHeld(target=JobId("1_4"), reason="x"))
    told.tell(JobReleased(target=JobId("1_4")))
    told.tell(JobHeld(target=JobId("1_5"), reason="x"))
    assert [told.state_of(f"1_{i}") for i in (0, 1, 4, 5)] == ["Starting", "Queued", "Queued", "Held"]
    assert told.engine.state.queue.jobs == 0
    told.tell(JobCancelled(target=JobId("1")))
    assert [told.state_of(f"1_{i}") for i in (0, 1, 4, 5)] == ["Killing", "Cancelled", "Cancelled", "Cancelled"]


def test_pausing_leaves_alone_what_is_on_its_way_out_anyway() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1")
    told.tell(JobCancelled(target=JobId("1")))
    assert told.tell(Paused(empty=True, reason="x")).commands == ()
