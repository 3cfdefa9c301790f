"""Jobs are given only to nodes that can host them: those that freeze by criu, what criu has frozen, those for one engine, and images."""

import pytest
from msgspec import structs

from idleq.ids import AllocationId, Fence, JobId, Millis
from idleq.scheduler.core.abilities import can_freeze
from idleq.scheduler.core.commands import Launch, RequestAllocation
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.explain import explain
from idleq.scheduler.core.inputs import AgentLeaving, AllocationLost, CommandFailed, Exited, Frozen, JobCancelled
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import FreezeMethod, JobSpec, RuntimeWish
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


@pytest.mark.parametrize(
    ("runtime", "less", "why", "more"),
    [
        (RuntimeWish.DOCKER, ("docker",), "its docker freezes only for agents that are root, and with experimental in its daemon.json",
         ("docker", "docker-criu")),
        (RuntimeWish.AUTO, ("docker",), "no engine there freezes: they do for agents that are root, and docker with experimental in its daemon.json", ("docker", "image-criu")),
        (RuntimeWish.PODMAN, ("docker", "docker-criu"), "it has no podman",
         ("podman", "podman-criu")),
        (RuntimeWish.PODMAN, ("podman",), "its podman freezes only for agents that are root", ("podman", "podman-criu")),
    ],
)  # fmt: skip
def test_an_image_that_is_frozen_from_outside_waits_for_a_node_whose_engine_does_that(
    runtime: RuntimeWish, less: tuple[str, ...], why: str, more: tuple[str, ...]
) -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(runtime=runtime, image="x", freeze=FreezeMethod.CRIU)
    told.see(report("n1"), report("n2"))
    told.grant("a1", "n1", abilities=("criu", *less))
    assert launched(told) == []
    assert because(told, "1")["n1"] == why
    told.grant("a2", "n2", abilities=("criu", *more))
    assert launched(told) == [("1", "a2")]


def test_an_image_that_saves_itself_starts_where_its_engine_freezes_nothing() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(runtime=RuntimeWish.DOCKER, image="x", freeze=FreezeMethod.AUTO)
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("criu", "docker"))
    assert launched(told) == [("1", "a1")]


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


def test_a_job_whose_image_a_node_lacks_goes_to_another_and_those_behind_it_start_on_that_one() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(image="x", priority=5)
    told.submit_job(cores=4)
    told.see(report("n1"), report("n2"))
    told.grant("a1", "n1", abilities=("podman",))
    missed(told, "1")
    assert launched(told) == [("1", "a1"), ("2", "a1")]
    told.grant("a2", "n2", abilities=("podman",))
    assert launched(told)[2:] == []
    told.tick(10_000)
    assert launched(told)[2:] == [("1", "a2")]


def test_a_node_without_the_image_is_not_blamed_and_hosts_others_however_often_it_is_missed() -> None:
    told = Told(Policy(ramp_start=10))
    for _ in range(4):
        told.submit_job(image="x")
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman",))
    for job in ("1", "2", "3", "4"):
        missed(told, job)
    told.submit_job()
    assert launched(told)[4:] == [("5", "a1")]


def test_an_image_that_is_nowhere_is_looked_for_ever_more_seldom_and_within_ten_minutes_once_it_is_there() -> None:
    told = Told(Policy(ramp_start=10, linger_ms=Millis(10**8)))
    told.submit_job(image="x")
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman",))
    waits = []
    for tries in range(1, 10):
        assert len(launched(told)) == tries
        missed(told, "1")
        since = told.now
        while len(launched(told)) == tries:
            told.tick(10_000)
        waits.append((told.now - since) // 1000)
    assert waits == [10, 20, 40, 80, 160, 320, 600, 600, 600]
    told.launched("1", 10)
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="preempted"))
    told.grant("a2", "n1", abilities=("podman",))
    missed(told, "1")
    told.tick(10_000)
    assert len(launched(told)) == 12, "it had started meanwhile, so it begins with short waits again"


def test_explain_says_where_the_image_was_not_and_when_it_is_looked_for_again() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(image="x")
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman",))
    missed(told, "1")
    found = explain(told.engine.state, JobId("1"), told.now)
    assert found is not None
    assert found.sentences == ("It is tried again in 10.0 s. Its last segment ended so: n1: no image.",)


def test_what_was_missed_before_a_restart_is_looked_for_again_after_it() -> None:
    told = Told(Policy(ramp_start=10, linger_ms=Millis(10**8)))
    told.submit_job(image="x")
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman",))
    missed(told, "1")
    told.tick(10_000)
    missed(told, "1")
    again = Engine.restore(told.facts)
    assert again.state == told.engine.state
    told.engine = again
    told.tick(19_000)
    assert told.state_of("1") == "Delayed"
    told.tick(1_000)
    assert told.state_of("1") == "Starting"


def test_one_that_is_cancelled_while_it_is_started_without_its_image_is_over() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job(image="x")
    told.see(report("n1"))
    told.grant("a1", "n1", abilities=("podman",))
    told.tell(JobCancelled(target=JobId("1")))
    missed(told, "1")
    assert told.state_of("1") == "Cancelled"


@pytest.mark.parametrize(
    ("abilities", "image", "runtime", "can"),
    [
        (("criu",), "", RuntimeWish.AUTO, True),
        ((), "", RuntimeWish.AUTO, False),
        (("criu", "podman"), "x", RuntimeWish.AUTO, False),
        (("criu", "podman", "podman-criu", "image-criu"), "x", RuntimeWish.AUTO, True),
        (("criu", "docker", "docker-criu"), "x", RuntimeWish.PODMAN, False),
        (("criu", "docker", "docker-criu"), "x", RuntimeWish.DOCKER, True),
    ],
)
def test_a_node_freezes_images_only_by_an_engine_that_does(
    abilities: tuple[str, ...], image: str, runtime: RuntimeWish, *, can: bool
) -> None:
    spec = JobSpec(name="x", argv=("x",), resources=Resources(1, 1), image=image, runtime=runtime)
    assert can_freeze(frozenset(abilities), spec) is can
