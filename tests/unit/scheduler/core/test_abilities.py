"""Jobs are given only to nodes that can host them: those that freeze by criu, what criu has frozen, and those for one engine."""

from msgspec import structs

from idleq.ids import AllocationId, Fence, JobId, Millis
from idleq.scheduler.core.commands import Launch, RequestAllocation
from idleq.scheduler.core.explain import explain
from idleq.scheduler.core.inputs import AgentLeaving, Exited, Frozen
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.submission import FreezeMethod, RuntimeWish
from support.engines import Told, report, snapshot


def launched(told: Told) -> list[tuple[str, str]]:
    return [(one.job, one.allocation) for one in told.commands if isinstance(one, Launch)]


def end(told: Told, job: str, fence: int) -> None:
    told.tell(Exited(job=JobId(job), fence=Fence(fence), code=0, at=told.now, cause="workload"), after_ms=10)


def frozen_by_criu(told: Told, job: str, fence: int) -> None:
    left = structs.replace(snapshot(job, fence, 1, run_ms=5_000), needs=("criu",))
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


def test_what_was_frozen_by_criu_goes_on_where_there_is_criu() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(freeze=FreezeMethod.AUTO)
    told.see(report("n1"), report("n2"), report("n3"))
    told.grant("a1", "n1", abilities=("criu",))
    told.launched("1")
    told.tell(AgentLeaving(allocation=AllocationId("a1"), reason="preempted"))
    frozen_by_criu(told, "1", 1)

    told.grant("a2", "n2", abilities=("podman",))
    assert launched(told) == [("1", "a1")]
    assert because(told, "1")["n2"] == "it cannot freeze by criu"
    told.grant("a3", "n3", abilities=("criu",))
    assert launched(told) == [("1", "a1"), ("1", "a3")]


def test_a_job_for_one_engine_waits_for_a_node_that_has_it() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(runtime=RuntimeWish.DOCKER, image="x")
    told.see(report("n1"), report("n2"))
    told.grant("a1", "n1", abilities=("podman",))
    assert launched(told) == []
    assert because(told, "1")["n1"] == "it has no docker"
    told.grant("a2", "n2", abilities=("docker",))
    assert launched(told) == [("1", "a2")]


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
