"""Jobs are given only to nodes that can host them: those that freeze by criu, what criu has frozen, those for one engine, and images."""

from msgspec import structs

from idleq.ids import AllocationId, Fence, JobId, Millis, NodeName
from idleq.scheduler.core.commands import Launch, RequestAllocation, Sharing
from idleq.scheduler.core.explain import explain
from idleq.scheduler.core.inputs import (
    AgentLeaving,
    AllocationLost,
    CommandFailed,
    Exited,
    Frozen,
    JobCancelled,
    JobsSubmitted,
    ViewChanged,
)
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.sitefacts import ImagesSought
from idleq.scheduler.core.submission import FreezeMethod, RuntimeWish, Submission
from support.engines import Told, report, snapshot, spec


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


def missed(told: Told, job: str) -> None:
    """Say that the node to which *job* was given last lacks its image."""
    launch = [one for one in told.commands if isinstance(one, Launch) and one.job == job][-1]
    told.tell(CommandFailed(command=launch.id, reason="no image", transient=True, image_missing=True))


def asked(told: Told) -> int:
    return sum(isinstance(one, RequestAllocation) for one in told.commands)


def test_a_job_whose_image_a_node_lacks_goes_to_another_and_those_behind_it_start_on_that_one() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(image="x", priority=5)
    told.submit_job(image="x", priority=5, cores=3)
    told.submit_job(image="y", cores=4)
    told.see(report("n1"), report("n2"))
    told.grant("a1", "n1", abilities=("podman",))
    assert launched(told) == [("2", "a1"), ("1", "a1")]
    missed(told, "2")
    missed(told, "1")
    assert launched(told)[2:] == [("3", "a1")]

    told.grant("a2", "n2", abilities=("podman",))
    assert launched(told)[3:] == [("2", "a2"), ("1", "a2")]


def test_explain_says_where_the_image_is_not_and_what_to_do() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(image="x")
    told.see(report("n1"), report("n2"), report("n3"))
    for allocation, node in (("a1", "n2"), ("a2", "n1")):
        told.grant(allocation, node, abilities=("podman",))
        missed(told, "1")

    assert told.state_of("1") == "Queued"
    found = explain(told.engine.state, JobId("1"), told.now)
    assert found is not None
    assert found.sentences[0] == (
        "No engine that may run it has its image 'x' on n1, n2: bring it there by `idleq image load`. "
        "It is looked for there again 10 min 0 s after it was missed."
    )
    assert because(told, "1") == {
        "n1": "no engine there has the image 'x'",
        "n2": "no engine there has the image 'x'",
        "n3": "the longest allocation here (4 h 0 min, by policy.max_allocation) is long enough (no main job is planned here)",
    }


def test_where_its_image_is_missing_nothing_is_asked_for_until_it_may_have_come() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(image="x")
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman",))
    missed(told, "1")
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="given back"))
    before = asked(told)
    told.tick(599_000)
    assert asked(told) == before
    told.tick(1_000)
    assert asked(told) == before + 1


def test_an_agent_that_is_there_for_long_is_given_the_job_again_once_its_image_may_have_come() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(image="x")
    told.submit_job()
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman",))
    told.launched("2")
    missed(told, "1")
    told.see(report("n2"))
    told.submit_job(cores=4, priority=9)
    told.grant("a2", "n2", abilities=("podman",))
    assert launched(told) == [("1", "a1"), ("2", "a1"), ("3", "a2")]
    told.tick(600_000)
    assert launched(told)[3:] == [("1", "a1")]


def wanted(told: Told) -> list[tuple[NodeName | None, NodeName | None]]:
    """The nodes that allocations were asked for on, and the gaps that they were asked for, in order."""
    return [(one.node, one.seen_on) for one in told.commands if isinstance(one, RequestAllocation)]


def test_the_next_agent_on_a_node_is_not_asked_for_the_image_again_before_it_may_have_come() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(image="x", priority=5)
    told.submit_job(cores=4)
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman",))
    missed(told, "1")
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="preempted"))
    told.grant("a2", "n1", abilities=("podman",))
    assert ("1", "a2") not in launched(told)


def test_while_some_node_lacks_its_image_a_node_is_named_that_is_not_known_to() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(image="x")
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman",))
    assert wanted(told) == [(None, "n1")]
    missed(told, "1")
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="given back"))

    told.see(report("n2"))
    assert wanted(told)[1:] == [("n2", "n2")]


def test_each_image_is_looked_for_again_in_its_own_time() -> None:
    told = Told(Policy(ramp_start=10, linger_ms=Millis(3_600_000)))
    told.submit_job(image="x")
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman",))
    missed(told, "1")
    told.tick(300_000)
    told.submit_job(image="y")
    missed(told, "2")
    told.tick(300_000)
    assert launched(told)[2:] == [("1", "a1")]
    told.launched("1", 2)
    told.tick(299_000)
    assert launched(told)[3:] == []
    told.tick(1_000)
    assert launched(told)[3:] == [("2", "a1")]
    assert [type(fact) for _, fact in told.facts].count(ImagesSought) == 2


def test_what_is_missed_again_and_again_is_looked_for_once_each_time() -> None:
    told = Told(Policy(ramp_start=10, linger_ms=Millis(3_600_000)))
    told.submit_job(image="x")
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman",))
    for times in range(1, 6):
        assert len(launched(told)) == times
        missed(told, "1")
        told.tick(599_000)
        assert len(launched(told)) == times
        told.tick(1_000)


def test_a_node_that_was_away_for_a_moment_still_lacks_what_it_did_and_is_asked_again_in_time() -> None:
    told = Told(Policy(ramp_start=10, linger_ms=Millis(3_600_000)))
    told.submit_job(image="x")
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman",))
    missed(told, "1")
    told.tell(ViewChanged(deltas=(), gone=(NodeName("n1"),)))
    told.see(report("n1"))
    assert because(told, "1")["n1"] == "no engine there has the image 'x'"
    told.tick(600_000)
    assert launched(told) == [("1", "a1"), ("1", "a1")]


def submit_as(told: Told, user: str, image: str) -> None:
    told.tell(JobsSubmitted(submissions=(Submission(spec=spec(image=image)),), request=user, user=user))


def test_what_one_users_engine_lacks_anothers_may_have() -> None:
    told = Told(Policy(ramp_start=10, sharing=Sharing.USER))
    submit_as(told, "ada", image="x")
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman",))
    missed(told, "1")
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="given back"))
    before = asked(told)
    submit_as(told, "bob", image="x")
    assert asked(told) == before + 1
    found = explain(told.engine.state, JobId("2"), told.now)
    assert found is not None
    assert not any("has its image" in sentence for sentence in found.sentences)


def test_a_job_without_an_image_whose_agent_says_that_it_is_missing_has_not_started() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job()
    told.see(report("n1"))
    told.grant("a1", "n1")
    missed(told, "1")
    assert told.engine.state.allocations[AllocationId("a1")].failed_launches == 1
    assert told.engine.state.lacks == {}


def test_what_one_engine_lacks_another_may_have() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(image="x", runtime=RuntimeWish.DOCKER)
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman", "docker"))
    missed(told, "1")
    told.submit_job(image="x", runtime=RuntimeWish.PODMAN)
    assert launched(told) == [("1", "a1"), ("2", "a1")]


def test_what_a_node_lacks_is_remembered_while_it_is_away() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(image="x")
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman",))
    told.tell(ViewChanged(deltas=(), gone=(NodeName("n1"),)))
    missed(told, "1")
    assert launched(told) == [("1", "a1")]
    told.submit_job()
    assert launched(told) == [("1", "a1"), ("2", "a1")]
    told.tick(600_000)
    assert launched(told)[2:] == [("1", "a1")]


def test_one_that_is_cancelled_while_it_is_started_without_its_image_is_over() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(image="x")
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman",))
    told.tell(JobCancelled(target=JobId("1")))
    missed(told, "1")
    assert told.state_of("1") == "Cancelled"
