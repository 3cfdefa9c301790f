"""Jobs are given to nodes that can host them only: those that freeze by criu, and snapshots that need a kind of CPU."""

from dataclasses import replace

from idleq.ids import AllocationId, Fence, JobId, Millis
from idleq.scheduler.core.commands import Launch, RequestAllocation
from idleq.scheduler.core.explain import explain
from idleq.scheduler.core.inputs import AgentLeaving, Exited, Frozen
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.submission import FreezeMethod
from support.engines import Told, report, snapshot

AMD, INTEL = "cpu:amd", "cpu:intel"


def launched(told: Told) -> list[tuple[str, str]]:
    return [(one.job, one.allocation) for one in told.commands if isinstance(one, Launch)]


def end(told: Told, job: str, fence: int) -> None:
    told.tell(Exited(job=JobId(job), fence=Fence(fence), code=0, at=told.now, cause="workload"), after_ms=10)


def frozen_by_criu(told: Told, job: str, fence: int) -> None:
    left = replace(snapshot(job, fence, 1, run_ms=5_000), needs=("criu", AMD))
    told.tell(
        Frozen(
            job=JobId(job), fence=Fence(fence), snapshot=left, at=told.now, freeze_ms=Millis(5), reason="the gap ends"
        ),
        after_ms=5_000,
    )


def because(told: Told, job: str) -> dict[str, str]:
    found = explain(told.engine.state, JobId(job), told.now)
    assert found is not None
    return {prospect.node: prospect.because for prospect in found.nodes}


def test_a_job_that_is_frozen_by_criu_waits_for_a_node_that_can_and_others_go_before_it() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(freeze=FreezeMethod.CRIU, priority=5)
    told.submit_job()
    told.see(report("n1"), report("n2"))
    told.grant("a1", "n1")
    assert launched(told) == [("2", "a1")]
    assert because(told, "1")["n1"] == "it cannot freeze by criu"

    told.grant("a2", "n2", abilities=("criu",))
    assert launched(told) == [("2", "a1"), ("1", "a2")]


def test_what_was_frozen_by_criu_goes_on_where_the_cpu_is_of_its_kind() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(freeze=FreezeMethod.AUTO)
    told.see(report("n1"), report("n2"), report("n3"))
    told.grant("a1", "n1", abilities=("criu", AMD))
    told.launched("1")
    told.tell(AgentLeaving(allocation=AllocationId("a1"), reason="preempted"))
    frozen_by_criu(told, "1", 1)

    told.grant("a2", "n2", abilities=("criu", INTEL))
    assert launched(told) == [("1", "a1")]
    assert because(told, "1")["n2"] == "its CPU is of another kind than the one that the job was frozen on"
    told.grant("a3", "n3", abilities=("criu", AMD))
    assert launched(told) == [("1", "a1"), ("1", "a3")]


def test_no_allocation_is_asked_for_in_the_gap_of_a_node_that_is_known_to_be_unable() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job()
    told.see(report("n1"))
    told.grant("a1", "n1")
    told.launched("1")
    end(told, "1", 1)
    asked = sum(isinstance(one, RequestAllocation) for one in told.commands)
    told.submit_job(freeze=FreezeMethod.CRIU)
    assert sum(isinstance(one, RequestAllocation) for one in told.commands) == asked
    assert launched(told) == [("1", "a1")]
