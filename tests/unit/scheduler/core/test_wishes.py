"""What people want of jobs that run: frozen now, or moved; and what of it holds when it is said twice, late, or of an array."""

from collections.abc import Callable

import pytest

from idleq.ids import AllocationId, Fence, JobId, Millis, NodeName
from idleq.scheduler.core.commands import Freeze, Launch, RequestAllocation, Sharing
from idleq.scheduler.core.engine import Decision, Engine
from idleq.scheduler.core.explain import explain
from idleq.scheduler.core.inputs import (
    AgentReady,
    AllocationLost,
    CommandFailed,
    Exited,
    Frozen,
    JobCancelled,
    JobHeld,
    JobReleased,
    JobsSubmitted,
    Paused,
    Progressed,
)
from idleq.scheduler.core.job import Held
from idleq.scheduler.core.policy import HOUR, Policy
from idleq.scheduler.core.queries import job_rows
from idleq.scheduler.core.resources import NOTHING
from idleq.scheduler.core.submission import ArrayRange, FreezeMethod, Submission
from idleq.scheduler.core.wishes import FreezeWished, MoveWished
from support.engines import NODE, Told, report, snapshot, spec


def running(**wishes: object) -> Told:
    """Job 1 runs on n1 in allocation a1; n2 is free."""
    told = Told()
    told.see(report("n1"), report("n2"))
    told.submit_job(**wishes)  # type: ignore[arg-type]  # passed through
    told.grant("a1", "n1")
    told.launched("1")
    told.commands.clear()
    return told


def frozen(told: Told, job: str = "1", fence: int = 1) -> None:
    """The job's segment ends with a snapshot."""
    left = snapshot(job, fence, 1, 5000)
    told.tell(
        Frozen(job=JobId(job), fence=Fence(fence), snapshot=left, at=told.now, freeze_ms=Millis(700), reason="asked")
    )


def refusal(told: Told, target: str = "1") -> tuple[str, str]:
    """Wish for a freeze of *target*; return how that is refused, having changed nothing."""
    decision = told.tell(FreezeWished(target=JobId(target), reason="look"))
    assert decision.refusal is not None
    assert (decision.facts, decision.commands) == ((), ())
    return decision.refusal.kind, decision.refusal.message


def test_a_frozen_job_waits_for_its_release_and_then_goes_on_from_its_snapshot() -> None:
    told = running()
    told.tell(FreezeWished(target=JobId("1"), reason="look"))
    assert [(type(command), command.job, command.fence) for command in told.commands] == [(Freeze, "1", 1)]  # type: ignore[union-attr]  # a freeze names them
    frozen(told)
    assert told.engine.state.jobs[JobId("1")].state == Held("look")
    told.commands.clear()
    told.tell(JobReleased(target=JobId("1")))
    assert [command.thaw_from for command in told.commands if isinstance(command, Launch)] == [
        snapshot("1", 1, 1, 5000)
    ]


def test_a_freeze_that_is_wished_for_twice_is_one_freeze_before_and_after_its_end() -> None:
    told = running()
    wish = FreezeWished(target=JobId("1"), reason="look")
    told.tell(wish)
    assert told.tell(wish).facts == ()
    frozen(told)
    again = told.tell(wish)
    assert (again.refusal, again.facts) == (None, ())


def test_a_freeze_for_a_pause_becomes_one_until_a_release() -> None:
    told = running()
    told.tell(Paused(empty=True, reason="x"))
    told.tell(FreezeWished(target=JobId("1"), reason="look"))
    frozen(told)
    assert told.state_of("1") == "Held"


def test_a_restart_in_the_middle_of_a_freeze_still_holds_the_job() -> None:
    told = running()
    told.tell(FreezeWished(target=JobId("1"), reason="look"))
    told.engine = Engine.restore(told.facts)
    frozen(told)
    assert told.engine.state.jobs[JobId("1")].state == Held("look")


def wait(told: Told) -> None:
    """Let job 1 wait with its snapshot, as no node is up."""
    told.see(report("n1", is_up=False), report("n2", is_up=False))
    told.tell(Paused(empty=True, reason="x"))
    frozen(told)


def end(told: Told) -> None:
    """Let job 1 be done."""
    told.tell(Exited(job=JobId("1"), fence=Fence(1), code=0, at=told.now, cause="workload"))


@pytest.mark.parametrize(
    ("happen", "because"),
    [
        (wait, "job 1 does not run, so there is nothing to freeze; `idleq hold 1` keeps it from being started"),
        (end, "job 1 is over already"),
        (
            lambda told: told.tell(JobCancelled(target=JobId("1"))),
            "job 1 does not run, so there is nothing to freeze; `idleq hold 1` keeps it from being started",
        ),
    ],
)
def test_what_does_not_run_is_not_frozen(happen: Callable[[Told], object], because: str) -> None:
    told = running()
    happen(told)
    assert refusal(told) == ("conflict", because)


def test_a_job_that_would_lose_its_work_by_a_freeze_is_not_frozen() -> None:
    told = running(freeze=FreezeMethod.NONE)
    kind, message = refusal(told)
    assert (kind, message.split(";")[0]) == ("conflict", "job 1 cannot be frozen: it would lose what it has done")
    assert told.state_of("1") == "Running"


def test_of_an_array_what_runs_is_frozen_and_the_others_go_on() -> None:
    told = running(array=ArrayRange(0, 5), cores=2)
    told.tell(JobHeld(target=JobId("1_5"), reason="later"))
    told.tell(FreezeWished(target=JobId("1"), reason="look"))
    states = [told.state_of(f"1_{task}") for task in range(6)]
    assert states == ["Freezing", "Freezing", "Queued", "Queued", "Queued", "Held"]
    frozen(told, "1_0")
    assert (told.state_of("1_0"), told.state_of("1_2")) == ("Held", "Starting")


def moved(told: Told, to: str | None = None, target: str = "1") -> Decision:
    """Wish for a move."""
    return told.tell(MoveWished(target=JobId(target), to=None if to is None else NodeName(to)))


def against(told: Told, to: str | None = None, target: str = "1") -> tuple[str, str]:
    """Wish for a move; return how that is refused, having changed nothing."""
    decision = moved(told, to, target)
    assert decision.refusal is not None
    assert (decision.facts, decision.commands) == ((), ())
    return decision.refusal.kind, decision.refusal.message


def reason_of(told: Told) -> str:
    """What a list of jobs says why job 1 is where it is."""
    (row,) = job_rows(told.engine.state)
    return row.reason


def asked_on(told: Told) -> list[str | None]:
    return [command.node for command in told.commands if isinstance(command, RequestAllocation)]


def launched_in(told: Told) -> list[str]:
    return [command.allocation for command in told.commands if isinstance(command, Launch)]


def test_a_moved_job_is_thawed_elsewhere_though_there_is_room_where_it_was() -> None:
    told = running()
    moved(told)
    frozen(told)
    assert (launched_in(told), asked_on(told)) == ([], ["n2"])
    told.grant("a2", "n2")
    assert launched_in(told) == ["a2"]
    assert told.engine.state.jobs[JobId("1")].move is None


def test_whoever_waits_is_given_the_room_that_a_moved_job_left() -> None:
    told = running(cores=4)
    told.submit_job(cores=4, priority=-1)
    moved(told)
    frozen(told)
    assert [(command.job, command.allocation) for command in told.commands if isinstance(command, Launch)] == [
        ("2", "a1")
    ]


def test_no_room_is_kept_for_a_moved_job_where_it_was() -> None:
    told = running(cores=4, priority=9)
    moved(told)
    frozen(told)
    told.submit_job(cores=1)
    assert [command.job for command in told.commands if isinstance(command, Launch)] == ["2"]


def test_a_moved_job_goes_back_once_no_other_node_can_host_it() -> None:
    told = running()
    moved(told)
    frozen(told)
    assert launched_in(told) == []
    told.see(report("n2", free=NOTHING))
    assert launched_in(told) == ["a1"]


def test_a_moved_job_goes_back_once_nothing_has_come_of_the_move_for_a_patience() -> None:
    told = running()
    moved(told)
    frozen(told)
    wake_at = told.engine.wake_at()
    told.tick(told.policy.patience_ms)
    told.grant("a1", "n1")
    told.tick(told.policy.freeze_ms)
    assert wake_at is not None
    assert told.engine.state.jobs[JobId("1")].move is None


def test_a_job_is_moved_to_the_node_that_is_named_and_to_no_other() -> None:
    told = running()
    told.see(report("n3"))
    moved(told, "n3")
    frozen(told)
    assert asked_on(told) == ["n3"]
    told.grant("a9", "n2")
    assert launched_in(told) == []
    told.grant("a2", "n3")
    assert launched_in(told) == ["a2"]


def test_a_job_is_moved_to_a_node_however_many_gaps_are_longer() -> None:
    told = running()
    told.see(*(report(f"m{number:03}") for number in range(300)))
    told.see(report("n3", planned=told.now + HOUR))
    moved(told, "n3")
    frozen(told)
    assert asked_on(told) == ["n3"]


def test_once_the_node_that_is_named_cannot_host_it_another_will_do() -> None:
    told = running()
    told.see(report("n3"))
    moved(told, "n3")
    frozen(told)
    before = explain(told.engine.state, JobId("1"), told.now)
    assert before is not None
    assert before.sentences[0] == "It is moved from n1 to n3, and goes elsewhere only if n3 cannot host it."
    assert before.nodes[1].because == "it is being moved to n3"
    assert reason_of(told) == "moves to n3"
    told.see(report("n3", is_up=False))
    assert reason_of(told) == "moves off n1"
    explained = explain(told.engine.state, JobId("1"), told.now)
    assert explained is not None
    assert explained.sentences[0] == "It is moved off n1, and goes on there only if no other node can host it."
    assert explained.nodes[0].because == "it is being moved away from here"
    told.see(report("n2", free=NOTHING))
    assert launched_in(told) == ["a1"]


def test_a_move_that_is_wished_for_twice_is_one_move_and_another_node_takes_its_place() -> None:
    told = running()
    told.see(report("n3"))
    moved(told, "n3")
    assert moved(told, "n3").facts == ()
    assert [type(fact).__name__ for fact in moved(told, "n2").facts] == ["FreezeAsked"]
    frozen(told)
    again = moved(told, "n2")
    assert (again.refusal, again.facts) == (None, ())
    assert against(told, "n3") == (
        "conflict",
        "job 1 does not run, so there is nothing to move: it goes on wherever it fits",
    )
    told.grant("a2", "n2")
    assert launched_in(told) == ["a2"]


def test_a_restart_in_the_middle_of_a_move_still_moves_the_job() -> None:
    told = running()
    moved(told)
    told.engine = Engine.restore(told.facts)
    frozen(told)
    told.engine = Engine.restore(told.facts)
    told.tick(1)
    assert launched_in(told) == []
    told.grant("a2", "n2")
    assert launched_in(told) == ["a2"]


def test_a_job_whose_freeze_for_a_move_is_lost_still_goes_on_elsewhere() -> None:
    told = running()
    moved(told)
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="preempted"))
    told.grant("a3", "n1")
    assert launched_in(told) == []
    told.grant("a2", "n2")
    assert launched_in(told) == ["a2"]


def test_a_job_that_waits_by_itself_is_not_taken_for_one_that_moves() -> None:
    told = running()
    moved(told)
    told.tell(
        Frozen(
            job=JobId("1"),
            fence=Fence(1),
            snapshot=snapshot("1", 1, 1, 0),
            at=told.now,
            freeze_ms=Millis(9),
            reason="x",
        )
    )
    assert told.state_of("1") == "Delayed"
    assert told.engine.state.moving == {}
    told.tick(told.policy.retry_ms)
    assert (told.state_of("1"), reason_of(told)) == ("Queued", "moves off n1")


def test_a_job_that_is_held_in_the_middle_of_a_move_is_no_longer_moved() -> None:
    told = running()
    moved(told)
    told.tell(FreezeWished(target=JobId("1"), reason="look"))
    frozen(told)
    told.tell(JobReleased(target=JobId("1")))
    assert launched_in(told) == ["a1"]
    told = running()
    moved(told)
    frozen(told)
    told.tell(JobHeld(target=JobId("1"), reason="look"))
    told.tell(JobReleased(target=JobId("1")))
    assert launched_in(told) == ["a1"]


def test_a_move_that_leads_nowhere_is_refused_and_the_job_runs_on() -> None:
    told = running()
    assert against(told, "n9") == ("unknown", "there is no node n9; `idleq nodes` lists them")
    assert against(told, "n1") == ("conflict", "job 1 runs on n1 already")
    told.see(report("n2", free=NOTHING))
    assert against(told, "n2") == ("conflict", "n2 cannot host job 1 now: main jobs have it")
    assert against(told) == ("conflict", "no other node can host job 1 now; n2: main jobs have it")
    told.tell(Paused(empty=False, reason="x"))
    assert against(told)[1] == "idleq is paused, so job 1 would start nowhere; `idleq resume` lets jobs start"
    assert told.state_of("1") == "Running"


def test_what_cannot_be_frozen_or_is_to_wait_is_not_moved() -> None:
    told = running(freeze=FreezeMethod.NONE)
    assert against(told)[1] == "job 1 cannot be frozen, so it cannot be moved: it would lose what it has done"
    told = running()
    told.tell(FreezeWished(target=JobId("1"), reason="look"))
    assert against(told)[1] == "job 1 is being frozen until its release; `idleq release 1` lets it go on elsewhere"


def test_of_an_array_one_task_is_moved_by_its_name() -> None:
    told = running(array=ArrayRange(0, 2), cores=2)
    assert against(told) == ("conflict", "2 tasks of array 1 run (1_0, 1_1); name the one to move")
    moved(told, target="1_1")
    frozen(told, "1_1")
    told.grant("a2", "n2")
    placed = [(command.job, command.allocation) for command in told.commands if isinstance(command, Launch)]
    assert placed == [("1_2", "a1"), ("1_1", "a2")]


def test_a_node_that_we_hold_for_another_user_can_host_nobody_elses_job() -> None:
    told = Told(Policy(sharing=Sharing.USER))
    told.see(report("n1"), report("n2"))
    for user in ("ann", "bob"):
        told.tell(JobsSubmitted(submissions=(Submission(spec=spec()),), request=user, user=user))
    told.grant("a1", "n1")
    told.grant("a2", "n2")
    assert against(told)[1] == "no other node can host job 1 now; n2: what we hold of it is for another user's jobs"


def in_vain(told: Told) -> Decision:
    """The last freeze that was asked for could not be done."""
    freeze = next(command for command in reversed(told.commands) if isinstance(command, Freeze))
    return told.tell(CommandFailed(command=freeze.id, reason="a socket is open", transient=False))


@pytest.mark.parametrize("wish", [FreezeWished(target=JobId("1"), reason="look"), MoveWished(target=JobId("1"))])
def test_a_job_that_could_not_be_frozen_as_was_wished_runs_on_and_says_why(wish: FreezeWished | MoveWished) -> None:
    told = running()
    told.tell(wish)
    assert [command.is_wish for command in told.commands if isinstance(command, Freeze)] == [True]
    assert [type(fact).__name__ for fact in in_vain(told).facts] == ["FreezeGivenUp"]
    assert (told.state_of("1"), told.engine.state.jobs[JobId("1")].move) == ("Running", None)
    assert in_vain(told).facts == ()
    explained = explain(told.engine.state, JobId("1"), told.now)
    assert explained is not None
    assert explained.sentences[1] == "It was to be frozen and could not be, so it runs on: a socket is open."
    told.tell(wish)
    assert told.state_of("1") == "Freezing"


def test_who_is_to_be_held_or_to_leave_in_any_case_does_not_run_on() -> None:
    told = running()
    told.tell(FreezeWished(target=JobId("1"), reason="look"))
    told.tell(JobHeld(target=JobId("1"), reason="hold"))
    assert [command.is_wish for command in told.commands if isinstance(command, Freeze)] == [True, False]
    assert in_vain(told).facts == ()
    told = running()
    told.tell(Paused(empty=True, reason="x"))
    told.tell(FreezeWished(target=JobId("1"), reason="look"))
    assert [command.is_wish for command in told.commands if isinstance(command, Freeze)] == [False, False]
    assert in_vain(told).facts == ()


def test_an_agent_that_comes_back_is_told_again_that_it_is_a_wish() -> None:
    told = running()
    told.tell(FreezeWished(target=JobId("1"), reason="look"))
    told.tell(Progressed(job=JobId("1"), fence=Fence(1), step=3, total=9))
    told.commands.clear()
    told.tell(
        AgentReady(
            allocation=AllocationId("a1"),
            node=NodeName("n1"),
            resources=NODE,
            until=None,
            guests=((JobId("1"), Fence(1)),),
        )
    )
    assert [command.is_wish for command in told.commands if isinstance(command, Freeze)] == [True]


def test_a_wish_that_fails_before_its_job_runs_waits_for_the_end_of_its_segment() -> None:
    told = Told()
    told.see(report("n1"), report("n2"))
    told.submit_job()
    told.grant("a1", "n1")
    told.tell(FreezeWished(target=JobId("1"), reason="look"))
    assert in_vain(told).facts == ()
    assert told.state_of("1") == "Freezing"
