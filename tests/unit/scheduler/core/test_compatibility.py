"""A snapshot is thawed only where it can be: the job waits for such a node, and is told why."""

from dataclasses import replace

from idleq.ids import AllocationId, Fence, JobId, Millis, NodeName
from idleq.machines import Machine, Needs
from idleq.scheduler.core.commands import Launch, Mode, ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.explain import explain
from idleq.scheduler.core.inputs import AllocationLost, Frozen, SnapshotRejected
from idleq.scheduler.core.policy import MINUTE, Policy
from idleq.scheduler.core.prospects import Prospect
from idleq.scheduler.core.resources import NOTHING
from support.engines import NODE, Told, report, snapshot

AVX = Machine(cpu="c1", flags=("avx", "fpu"))
PLAIN = Machine(cpu="c2", flags=("fpu",))
NEEDS_AVX = Needs(flags=("avx",))
LACKS_AVX = "its snapshot cannot be thawed there: the CPU lacks avx"


def frozen(policy: Policy | None = None, needs: Needs | None = NEEDS_AVX, cores: int = 1, priority: int = 0) -> Told:
    """A job that was frozen on a node with AVX, which has gone."""
    told = Told(policy or Policy())
    told.see(report("n1"))
    told.submit_job(cores=cores, priority=priority)
    told.grant("a1", "n1", machine=AVX)
    told.launched("1")
    told.tell(
        Frozen(
            job=JobId("1"),
            fence=Fence(1),
            snapshot=snapshot("1", 1, 1, run_ms=60_000, bound_to=needs),
            at=told.now,
            freeze_ms=Millis(100),
            reason="the gap ends",
        ),
        after_ms=60_000,
    )
    lost = [launch.allocation for launch in launches(told) if launch.fence == 2]
    assert lost == ["a1"]  # where it came from it can go on, of course
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="preempted"))
    told.commands.clear()
    told.see(report("n1", free=NOTHING), report("n2"), report("n3"))
    return told


def launches(told: Told) -> list[Launch]:
    return [command for command in told.commands if isinstance(command, Launch)]


def asked_on(told: Told) -> list[NodeName | None]:
    return [command.node for command in told.commands if isinstance(command, RequestAllocation)]


def test_a_job_waits_for_a_node_on_which_its_snapshot_can_be_thawed() -> None:
    told = frozen()
    told.grant("a2", "n2", machine=PLAIN)
    assert launches(told) == []
    assert told.state_of("1") == "Queued"
    told.grant("a3", "n3", machine=AVX)
    assert [(launch.job, launch.allocation) for launch in launches(told)] == [("1", "a3")]


def test_it_is_told_why_it_does_not_start_on_a_node() -> None:
    told = frozen()
    told.grant("a2", "n2", machine=PLAIN)
    explained = explain(told.engine.state, JobId("1"), told.now)
    assert explained is not None
    assert Prospect(NodeName("n2"), is_possible=False, because=LACKS_AVX) in explained.nodes


def test_what_saved_itself_goes_on_anywhere() -> None:
    told = frozen(needs=None)
    told.grant("a2", "n2", machine=PLAIN)
    assert [launch.allocation for launch in launches(told)] == ["a2"]


def test_of_a_node_that_does_not_say_what_it_is_like_the_agent_decides() -> None:
    told = frozen()
    told.grant("a2", "n2")
    assert [launch.allocation for launch in launches(told)] == ["a2"]


def test_a_job_that_cannot_go_on_there_is_in_nobody_elses_way() -> None:
    """Not in line, and no room is kept for it, however long it has waited."""
    told = frozen(cores=4, priority=5)
    told.tick(6 * 3_600_000)
    told.submit_job(cores=1)
    told.grant("a2", "n2", machine=PLAIN)
    assert [launch.job for launch in launches(told)] == ["2"]


def test_no_allocation_is_asked_for_in_a_gap_on_a_node_that_is_known_not_to_suit() -> None:
    told = frozen(Policy(mode=Mode.WINDOW, min_gap_ms=MINUTE))
    assert asked_on(told) == ["n3"]
    told.grant("a3", "n3", machine=PLAIN)
    told.tell(AllocationLost(allocation=AllocationId("a3"), reason="given back"))
    told.commands.clear()
    told.see(report("n2", free=NOTHING))
    told.tick(60_000)
    assert asked_on(told) == []
    told.see(report("n4"))
    assert asked_on(told) == ["n4"]


def test_where_nodes_differ_the_one_that_suits_is_named_or_slurm_would_give_the_other_again_and_again() -> None:
    told = frozen()
    told.grant("a2", "n2", machine=PLAIN)
    assert asked_on(told) == ["n3"]


def test_once_the_snapshot_is_dropped_the_job_begins_anew_anywhere() -> None:
    told = frozen()
    told.grant("a2", "n2")
    reject = SnapshotRejected(job=JobId("1"), fence=Fence(3), snapshot=snapshot("1", 1, 1, 0).id, reason="unfit")
    told.tell(reject)
    assert [(launch.fence, launch.thaw_from) for launch in launches(told)][1:] == [(4, None)]


def test_lines_of_the_choosy_are_counted_as_they_come_and_go() -> None:
    told = frozen()
    assert told.engine.state.queue.choosy == 1
    told.grant("a2", "n3", machine=AVX)
    assert told.engine.state.queue.choosy == 0


def test_more_generations_are_kept_where_the_policy_says_so() -> None:
    told = Told(replace(Policy(), generations=3))
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1", resources=NODE)
    for fence in range(1, 6):
        told.launched("1", fence)
        told.tell(
            Frozen(
                job=JobId("1"), fence=Fence(fence), snapshot=snapshot("1", fence, 1, run_ms=fence * 60_000), at=told.now,
                freeze_ms=Millis(100), reason="asked",
            ),
            after_ms=60_000,
        )  # fmt: skip
    assert [kept.fence for kept in told.engine.state.jobs[JobId("1")].snapshots] == [3, 4, 5]


def test_a_request_that_names_a_node_is_given_back_when_that_node_goes_to_others_and_another_is_asked_for() -> None:
    told = frozen()
    told.grant("a2", "n2", machine=PLAIN)
    assert asked_on(told) == ["n3"]
    told.commands.clear()

    told.see(report("n3", free=NOTHING), report("n4"))
    told.tell(AllocationLost(allocation=AllocationId("a3"), reason="given back"))

    (released,) = (command for command in told.commands if isinstance(command, ReleaseAllocation))
    assert (released.allocation, released.reason) == ("a3", "n3, which it needs, has gone to others")
    assert asked_on(told) == ["n4"]
