"""Nodes that somebody waits for: guests leave them, though the site's scheduler would let them stay."""

import pytest
from msgspec import structs

from idleq.ids import AllocationId, Fence, JobId, Millis, NodeName
from idleq.scheduler.core.cause import Cause, CauseKind
from idleq.scheduler.core.commands import Freeze, Launch, Mode, ReleaseAllocation
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.inputs import AgentReady, AllocationGranted, CommandFailed, Frozen, NodeReport, ViewChanged
from idleq.scheduler.core.job import Freezing
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.sitefacts import AllocationClosing, AllocationStarted, RequestsSlowed
from idleq.scheduler.core.state import Hold
from idleq.scheduler.core.wishes import FreezeWished, MoveWished
from support.engines import NODE, Told, report, snapshot

A1, N1 = AllocationId("a1"), NodeName("n1")
DRAINED = Cause(CauseKind.DRAINED, "drain")
REASON = "its node is wanted empty (drain)"


def closed(cause: Cause | None, node: str = "n1") -> NodeReport:
    return structs.replace(report(node, is_up=False), cause=cause)


def running() -> Told:
    """Job 1 runs on n1 in allocation a1, which has room, and job 2, which has come after it, would fit too."""
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1", until=told.now + 3_600_000)
    told.launched("1")
    return told


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (DRAINED, REASON),
        (Cause(CauseKind.RESERVATION, "course"), "its node is wanted empty (reservation course)"),
        (Cause(CauseKind.MAINTENANCE, "upkeep"), "its node is wanted empty (maintenance upkeep)"),
    ],
)
def test_guests_of_a_node_that_is_wanted_empty_are_frozen_none_come_after_them_and_it_is_given_back(
    cause: Cause, reason: str
) -> None:
    told = running()

    asked = told.see(closed(cause))
    assert [type(fact).__name__ for fact in asked.facts if type(fact).__name__ != "GapClosed"] == [
        "NodesSeen",
        "AllocationClosing",
        "FreezeAsked",
    ]
    (freeze,) = asked.commands
    assert freeze == Freeze(id=freeze.id, allocation=A1, job=JobId("1"), fence=Fence(1), reason=reason)
    assert told.see(closed(cause._replace(name="still"))).commands == (), "once is enough"

    told.submit_job()
    said = told.tell(
        Frozen(
            job=JobId("1"),
            fence=Fence(1),
            snapshot=snapshot("1", 1, 1, 60_000),
            at=told.now,
            freeze_ms=Millis(10),
            reason=reason,
        )
    )
    assert [command for command in said.commands if isinstance(command, Launch)] == []
    (released,) = [c for c in told.tick(told.policy.linger_ms).commands if isinstance(c, ReleaseAllocation)]
    assert released.allocation == A1


@pytest.mark.parametrize("cause", [None, Cause(CauseKind.CLOSED, "completing")])
def test_guests_stay_on_a_node_that_only_starts_nothing(cause: Cause | None) -> None:
    told = running()
    told.see(closed(cause))
    assert told.state_of("1") == "Running"
    assert told.engine.state.allocations[A1].hold is Hold.READY


def test_a_reservation_that_is_only_planned_leaves_guests_their_time() -> None:
    told = running()
    told.see(structs.replace(report("n1", planned=told.now + 600_000), cause=Cause(CauseKind.RESERVATION, "course")))
    assert told.state_of("1") == "Running"


def test_an_agent_that_comes_up_on_a_node_that_was_drained_meanwhile_is_given_nothing() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.tell(AllocationGranted(allocation=A1, node=N1, resources=NODE, until=None))
    told.see(closed(DRAINED))
    assert told.engine.state.allocations[A1].hold is Hold.CLOSING

    assert [command for command in told.grant("a1", "n1").commands if isinstance(command, Launch)] == []
    assert told.state_of("1") == "Queued"


def test_where_launches_have_failed_and_the_node_is_drained_who_runs_there_leaves_too() -> None:
    told = running()
    told.submit_job()
    told.submit_job()
    for launch in [command for command in told.commands if isinstance(command, Launch)][1:]:
        told.tell(CommandFailed(command=launch.id, reason="disk full", transient=True))
    assert (told.engine.state.allocations[A1].hold, told.state_of("1")) == (Hold.CLOSING, "Running")

    decision = told.see(closed(DRAINED))

    assert AllocationClosing not in [type(fact) for fact in decision.facts], "it is"
    assert [type(command) for command in decision.commands] == [Freeze]


def test_what_waits_for_a_drained_node_and_what_is_elsewhere_or_given_back_is_not_told_to_leave() -> None:
    told = Told(Policy(mode=Mode.WINDOW))
    told.see(report("n1"))
    told.submit_job()
    assert AllocationClosing not in [type(fact) for fact in told.see(closed(DRAINED)).facts]
    assert [allocation.hold for allocation in told.engine.state.allocations.values()] == [Hold.RELEASED]

    told = running()
    told.see(report("n2"))
    told.see(closed(DRAINED, "n2"))
    assert told.state_of("1") == "Running"


def test_what_slurm_grants_on_a_reserved_node_may_stay_there() -> None:
    told = Told()
    course = Cause(CauseKind.RESERVATION, "course")
    told.see(closed(course), report("n2"))
    told.submit_job()
    told.grant("a1", "n1")
    told.launched("1")
    told.see(structs.replace(closed(course), main_job="17"))
    assert told.state_of("1") == "Running"


def test_a_restart_tells_nobody_to_leave_again() -> None:
    told = running()
    told.see(closed(DRAINED))
    again = Engine.restore(told.facts)
    assert again.state == told.engine.state
    for seen in (closed(DRAINED), structs.replace(closed(DRAINED), main_job="17")):
        assert again.handle(ViewChanged(deltas=(seen,)), told.now).commands == ()


@pytest.mark.parametrize("is_told_by_its_agent", [False, True])
def test_what_has_begun_before_its_node_was_drained_is_given_back_though_it_is_told_later(
    *, is_told_by_its_agent: bool
) -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.see(closed(DRAINED))
    if is_told_by_its_agent:
        said = told.tell(AgentReady(allocation=A1, node=N1, resources=NODE, until=None))
    else:
        said = told.tell(AllocationGranted(allocation=A1, node=N1, resources=NODE, until=None))

    assert said.facts == (
        AllocationStarted(allocation=A1, node=N1, resources=NODE, until=None),
        AllocationClosing(allocation=A1, reason=REASON),
        RequestsSlowed(until=Millis(told.now + told.policy.slow_ms), reason=REASON),
    )
    told.grant("a1", "n1")
    assert told.state_of("1") == "Queued"
    (released,) = [c for c in told.tick(told.policy.linger_ms).commands if isinstance(c, ReleaseAllocation)]
    assert released.allocation == A1


def test_what_may_stay_in_a_reservation_leaves_when_its_node_is_drained_too() -> None:
    told = Told()
    course = closed(Cause(CauseKind.RESERVATION, "course"))
    told.see(course, report("n2"))
    told.submit_job()
    told.grant("a1", "n1")
    told.launched("1")

    (freeze,) = told.see(closed(DRAINED)).commands
    assert freeze == Freeze(id=freeze.id, allocation=A1, job=JobId("1"), fence=Fence(1), reason=REASON)


@pytest.mark.parametrize(
    ("wish", "hold"), [(FreezeWished(target=JobId("1"), reason="look"), True), (MoveWished(target=JobId("1")), False)]
)
def test_whom_somebody_has_frozen_leaves_a_drained_node_also_where_that_fails(
    wish: FreezeWished | MoveWished, *, hold: bool
) -> None:
    told = running()
    told.see(report("n2"))
    (wished,) = [command for command in told.tell(wish).commands if isinstance(command, Freeze)]
    move = told.engine.state.jobs[JobId("1")].move

    (freeze,) = told.see(closed(DRAINED)).commands
    assert freeze == structs.replace(wished, id=freeze.id, is_wish=False)
    assert told.tell(CommandFailed(command=wished.id, reason="a socket is open", transient=False)).facts == ()
    job = told.engine.state.jobs[JobId("1")]
    assert job.move == move
    assert isinstance(job.state, Freezing)
    assert (job.state.reason, job.state.hold, job.state.is_wish) == (wished.reason, hold, False)
